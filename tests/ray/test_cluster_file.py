"""The file for `ray up` is one that Ray takes."""

from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[2] / "examples" / "cluster" / "ray_cluster.yaml"


@pytest.mark.filterwarnings("ignore")
def test_ray_takes_it() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load(FILE.read_text("utf-8"))
    validate_config(prepare_config(config))
    del config["available_node_types"]["head"]["node_config"]
    with pytest.raises(Exception, match="node_config"):
        validate_config(config)
