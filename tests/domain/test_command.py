"""The command `ditta-adapt domain`, as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt import wrap
from ditta_adapt.cli import main
from ditta_adapt.datasets import VideoDataset
from ditta_adapt.datasets.video_file import VideoFrames
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.io.video import write_video
from tests.evaluation.toy_dataset import toy_dataset
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
        (["--lora", "0"], "rank is 0"),
        (["--lora", "77"], "an update of rank 77 would be smaller than"),
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


@pytest.mark.parametrize("learns", [["--norms"], ["--lora", "2"]])
def test_videos_are_run_and_evaluated_from_there(
    learns: list[str],
    videos: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.24, 0.26]])
    out, model = tmp_path / "out", ["--model", "tests.toys:toy_segmenter"]
    options = ["--seed", "1", "--mask", "--held-out", "0.5"]
    assert main(["domain", *videos, *MODEL, "--out", str(out), *options, *learns]) == 0
    video_model = wrap(toy_segmenter()).load_pretrained(out)
    video_model.save_pretrained(tmp_path / "video")
    frames = VideoFrames(Path(videos[0]))
    expected = list(video_model.segment(frames, warmup=3))
    results = tmp_path / "results"
    options = ["--domain", str(out), "--warmup", "3", "--no-report"]
    assert main(["run", videos[0], *model, *options, "--out", str(results)]) == 0
    for t, labels in enumerate(expected):
        found = np.asarray(Image.open(results / "labels" / f"{t:06}.png"))
        assert np.array_equal(found, labels.numpy())
    dataset = ["--dataset", "video", "--root", videos[0], *model]
    assert main(["eval", *dataset, "--domain", str(out), "--out", str(tmp_path / "eval")]) == 0
    capsys.readouterr()
    of_a_video = ["--domain", str(tmp_path / "video"), "--out", str(tmp_path / "other")]
    assert main(["run", videos[0], *model, *of_a_video]) == 2
    assert "expected what was learned of a domain" in capsys.readouterr().err


def test_one_way_to_learn_the_encoder(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="2"):
        main(["domain", *videos, *MODEL, *out, "--norms", "--lora", "2"])
    assert "not allowed with" in capsys.readouterr().err


def source_dataset(root: Path) -> VideoDataset:
    return toy_dataset()


def test_with_a_source(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    source = ["--source", "tests.domain.test_command:source_dataset", "--source-root"]
    assert main(["domain", *videos, *MODEL, *out, *source, str(tmp_path)]) == 0
    for wrong, message in (
        (["--source", "cityscapes"], "needs --source-root"),
        (["--source-root", "x"], "belong to a --source"),
        (["--source-option", "split=train"], "belong to a --source"),
        (["--mix", "consistent"], "belong to a --source"),
        ([*source, str(tmp_path), "--source-option", "split"], "is not KEY=VALUE"),
        (["--source", "unheard-of", "--source-root", "x"], "there is no data set"),
    ):
        assert main(["domain", *videos, *MODEL, "--out", str(tmp_path / "new"), *wrong]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
