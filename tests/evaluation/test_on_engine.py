"""An evaluation by workers gives what it gives in one process."""

import os
from pathlib import Path

import pytest

pytest.importorskip("cv2")

from ditta_adapt.cli import main
from ditta_adapt.evaluation.on_engine import CASES, task_name
from ditta_adapt.evaluation.result import Case
from tests.evaluation.test_command import TOYS, scores, toys

__all__ = ["toys"]


@pytest.mark.usefixtures("toys")
def test_equal_to_one_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{repository}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    arguments = ["eval", *TOYS, "--option", "names=a b", "--warmup", "50%"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert main([*arguments, "--out", str(here)]) == 0
    assert main([*arguments, "--engine", "local", "--out", str(there)]) == 0
    assert scores(there) == scores(here)
    assert capsys.readouterr().err.count(" left: ") == 8
    markers = list((there / CASES).glob("*/done.json"))
    assert len(markers) == 4
    # What is done is done, also if the file of results was lost with the driver.
    (there / "results.jsonl").unlink()
    assert main([*arguments, "--engine", "local", "--out", str(there)]) == 0
    assert scores(there) == scores(here)
    assert [path.stat().st_mtime_ns for path in markers] == [
        path.stat().st_mtime_ns for path in (there / CASES).glob("*/done.json")
    ]
    # A video that cannot be opened is recorded, and the rest is done.
    capsys.readouterr()
    arguments[-3] = "names=a broken"
    broken = tmp_path / "broken"
    local = ["--engine", "local", "--attempts", "1"]
    assert main([*arguments, *local, "--out", str(broken)]) == 1
    assert "failed: OSError: the disk is gone" in capsys.readouterr().err


def test_names_of_tasks_are_their_own() -> None:
    cases = [
        Case("ditta", "10%", "", "a/b"),
        Case("ditta", "10%", "", "a b"),
        Case("ditta", "10%", "noise:high", "a b"),
        Case("refined:ditta", "8 frames", "", "x" * 300),
    ]
    names = [task_name(case) for case in cases]
    assert len(set(names)) == 4
    assert names[1].endswith(" a b ditta 10")
