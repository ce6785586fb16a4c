"""The command `ditta-adapt domain`, as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt import wrap
from ditta_adapt.cli import main
from ditta_adapt.io.video import write_video
from tests.toys import toy_segmenter, toy_video

MODEL = ["--model", "tests.toys:toy_segmenter", "--rounds", "1"]


@pytest.fixture
def videos(tmp_path: Path) -> list[str]:
    """Two files and a folder."""
    for seed in range(2):
        write_video(tmp_path / f"{seed}.mp4", toy_video(6, (32, 40), seed), fps=10)
    folder = tmp_path / "images"
    folder.mkdir()
    for t, frame in enumerate(toy_video(6, (32, 40), 2)):
        Image.fromarray(np.ascontiguousarray(frame)).save(folder / f"{t}.png")
    return [*(str(tmp_path / f"{seed}.mp4") for seed in range(2)), str(folder)]


def test_writes_what_load_pretrained_reads(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["domain", *videos, *MODEL, "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert f"written to {out}." in shown.out
    assert shown.err.count("clip ") == 2
    wrap(toy_segmenter()).load_pretrained(out)
    report = json.loads((out / "config.json").read_text("utf-8"))["report"]
    assert len(report["rounds"]) == 1


def test_the_report_as_json(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["domain", *videos, *MODEL, "--out", str(out), "--json", "--quiet", "--seed", "3"]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["config"]["seed"] == 3
    assert shown.err == ""


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (["absent.mp4"], "no file absent.mp4"),
        ([], "there are 1 videos"),
        (["--model", "unheard_of:make"], "no package 'unheard_of'"),
        (["--propagator", "unheard-of"], "no propagator is called"),
        (["--held-out", "1"], "held_out is 1.0"),
        (["--out", "/dev/null/folder"], "/dev/null"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    changed: list[str],
    match: str,
    videos: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    several = videos if changed and changed[0].startswith("--") else videos[:1]
    arguments = ["domain", *several, *MODEL, "--out", str(tmp_path / "out"), *changed]
    if changed and not changed[0].startswith("--"):
        arguments = ["domain", *several, *changed, *MODEL, "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert match in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out").exists()
