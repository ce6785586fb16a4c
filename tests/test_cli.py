"""The command line, as a user meets it."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ditta_adapt.cli import main
from ditta_adapt.demo import program
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.io.video import read_video, write_video
from tests.toys import toy_video

SIZE = (96, 160)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, dict[str, Any]]]:
    """A run of the demo on a shorter, smaller video, and another one with one of its teachers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "NUM_FRAMES", 22)
        patch.setattr(program, "WARMUP", 4)
        patch.setattr(program, "render_video", partial(render_video, size=SIZE))
        results = []
        for asked in ([], ["--propagator", "flow"]):
            folder = tmp_path_factory.mktemp("demo")
            assert main(["demo", "--output", str(folder), *asked]) == 0
            results.append((folder, json.loads((folder / "report.json").read_text())))
    return results


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """What both runs have in common."""
    scores = {name: report["results"][name] for name in ("image model", "adapted, flow")}
    for values in scores.values():
        values.pop("ms a frame")
    adaptation = report["adaptations"]["flow"]
    adaptation.pop("seconds")
    return {"scores": scores, "adaptation": adaptation}


def test_demo_gives_the_same_numbers_on_every_run(
    runs: list[tuple[Path, dict[str, Any]]],
) -> None:
    (_, first), (_, second) = runs
    assert without_times(first) == without_times(second)


def test_demo_shows_steadier_and_no_worse_labels(
    runs: list[tuple[Path, dict[str, Any]]],
) -> None:
    results = runs[0][1]["results"]
    before, flow, masks = (
        results[name] for name in ("image model", "adapted, flow", "adapted, sam2-small")
    )
    assert flow["mVC8"] > before["mVC8"] + 3
    assert flow["mIoU"] > before["mIoU"] - 0.5
    assert masks["mIoU"] > before["mIoU"] - 0.5


def test_demo_writes_pictures_of_every_frame(runs: list[tuple[Path, dict[str, Any]]]) -> None:
    folder, report = runs[0]
    frames = list(read_video(folder / "before-after.mp4"))
    assert len(frames) == report["frames"] - report["warmup_frames"] == 18
    strip = np.asarray(Image.open(folder / "strip.png"))
    assert strip.shape == (5 * (SIZE[0] + 16), 5 * SIZE[1] + 4 * 4, 3)
    assert strip.std() > 20


def test_demo_on_ones_own_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "mine.mp4", toy_video(15, size=(64, 96)))
    output = tmp_path / "out"
    asked = ["--video", str(tmp_path / "mine.mp4"), "--output", str(output)]
    assert main(["demo", *asked, "--propagator", "flow"]) == 0
    report = json.loads((output / "report.json").read_text())
    assert report["video"] == "mine.mp4"
    assert report["frames"] == 15
    assert set(report["results"]["adapted, flow"]) == {"pixels changing, %", "ms a frame"}
    assert (output / "before-after.mp4").exists()
    assert "image model" in capsys.readouterr().out


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "short.mp4", toy_video(5, size=(64, 96)))
    for video, said in (("missing.mp4", "there is no video"), ("short.mp4", "has 5 frames")):
        output = tmp_path / "out"
        assert main(["demo", "--video", str(tmp_path / video), "--output", str(output)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
        assert not output.exists()


def test_an_unknown_teacher_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--output", str(tmp_path / "out"), "--propagator", "flow", "nobody"]
    assert main(["demo", *asked]) == 2
    assert "no propagator is called 'nobody'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
