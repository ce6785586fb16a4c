"""The example that adapts to masks of SAM2, with the one that ships with the package."""

from functools import partial
from pathlib import Path

import pytest

from ditta_adapt.demo.scenes import render_video
from ditta_adapt.io import write_video
from examples import sam2_teacher

WEIGHTS = Path(__file__).parents[2] / "adapters" / "weights" / "sam2-small"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(sam2_teacher, "render_video", partial(render_video, size=(96, 160)))


def test_it_follows_objects_with_the_shipped_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert sam2_teacher.main(["--warmup", "2"]) == 0
    printed = capsys.readouterr().out
    assert "tracked objects" in printed
    assert "followed as road" in printed
    assert "now speaks" in printed


def test_weights_and_video_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames, _ = render_video(seed=3, num_frames=1, size=(96, 160))
    write_video(tmp_path / "clip.mp4", frames)
    options = ["--weights", str(WEIGHTS), "--video", str(tmp_path / "clip.mp4"), "--warmup", "2"]
    assert sam2_teacher.main(options) == 0
    assert "1 warm-up frame;" in capsys.readouterr().out


def test_weights_that_are_not_there_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sam2_teacher.main(["--weights", str(tmp_path / "none"), "--warmup", "1"]) == 1
    assert capsys.readouterr().err.startswith("sam2_teacher: ")
