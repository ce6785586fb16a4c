"""An evaluation on a cluster gives what it gives in one process."""

from pathlib import Path

import pytest

from ditta_adapt.cli import main
from tests.evaluation.test_command import scores

QUICK = [
    *("--dataset", "demo", "--root", ".", "--option", "videos=2", "--option", "frames=6"),
    *("--model", "demo", "--methods", "image-model", "tent", "--warmup", "50%"),
]


@pytest.mark.usefixtures("ray")
def test_equal_to_one_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert main(["eval", *QUICK, "--out", str(here)]) == 0
    assert main(["eval", *QUICK, "--engine", "ray", "--out", str(there)]) == 0
    assert scores(there) == scores(here)
    assert len(list((there / "cases").glob("*/done.json"))) == 4
