"""One real cluster of Ray with two workers, on this machine; what needs Ray skips without it."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

# The driver of another process joins the cluster of this one.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_metrics_report_interval_ms", "1000")

collect_ignore_glob = [] if find_spec("ray") is not None else ["test_*.py"]


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    import ray

    environment = {"PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        runtime_env={"env_vars": environment},
    )
    yield ray
    ray.shutdown()
