"""The command `ditta-adapt run`, as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt.cli import main
from ditta_adapt.io.video import write_video
from ditta_adapt.running.label_files import decode_labels
from tests.running.test_source import write_images
from tests.toys import toy_video

MODEL = ["--model", "tests.toys:toy_segmenter", "--warmup", "3"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(path, toy_video(8, size=(40, 56)), fps=10)
    return path


def refuses(
    capsys: pytest.CaptureFixture[str], arguments: list[str], match: str, out: Path | None = None
) -> None:
    """Exit status 2, one line that says so, and nothing is written."""
    try:
        status = main(["run", *arguments])
    except SystemExit as error:
        status = int(str(error.code))
    shown = capsys.readouterr()
    assert status == 2
    assert match in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert out is None or not out.exists()


def test_labels_overlay_and_reports(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept"
    assert main(["run", str(clip), *MODEL, "--out", str(out), "--save-model", str(kept)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert f"results in {out}." in shown.out
    assert "8 frames in" in shown.out
    names = sorted(path.name for path in out.iterdir())
    assert names == ["labels", "overlay.mp4", "report.html", "report.json"]
    assert (kept / "model.safetensors").exists()
    # The same command again has nothing to do.
    assert main(["run", str(clip), *MODEL, "--out", str(out)]) == 0
    assert "it was done before" in capsys.readouterr().out


def test_options(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = ["--stride", "2", "--start", "0.1", "--end", "0:00.7", "--size", "28", "--json"]
    options += ["--preset", "memory", "--labels", "npz", "--no-report", "--seed", "3"]
    assert main(["run", str(clip), *MODEL, "--out", str(out), *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {
        k: v for k, v in json.loads((out / "report.json").read_text()).items() if k != "request"
    }
    assert report["frames"] == 3
    assert report["size"] == [20, 28]
    assert report["adaptation"]["config"]["seed"] == 3
    assert report["adaptation"]["config"]["targets"] is None
    with np.load(out / "labels.npz") as packed:
        assert packed["000002"].shape == (20, 28)


def test_quiet(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(clip), *MODEL, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_several_videos_each_in_a_folder_of_its_own(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", toy_video(5, size=(40, 56)))
    videos = [str(clip), str(tmp_path / "broken.mp4"), str(tmp_path / "images")]
    assert main(["run", *videos, *MODEL, "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr()
    assert "ditta-adapt: broken: " in shown.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip", "images"]
    assert len(list((tmp_path / "out" / "images" / "labels").iterdir())) == 5
    # Each video starts anew: the second one is labelled as if it were the only one.
    alone = tmp_path / "alone"
    assert main(["run", videos[2], *MODEL, "--out", str(alone)]) == 0
    for path in (alone / "labels").iterdir():
        both = tmp_path / "out" / "images" / "labels" / path.name
        assert np.array_equal(decode_labels(path), decode_labels(both))


def test_what_is_named_wrongly(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    good = [str(clip), *MODEL, "--out", str(out)]
    cases = {
        "there is no video at": ["missing.mp4", *good[1:]],
        "there is no package": [str(clip), "--model", "nowhere:make", "--out", str(out)],
        "no propagator is called 'flo'": [*good, "--propagator", "flo"],
        "loads no weights": [*good, "--propagator", "sam2-small:large"],
        "expected such as cpu or cuda": [*good, "--device", "gpu7"],
        "stride is 0": [*good, "--stride", "0"],
        "expected more than the start": [*good, "--start", "3", "--end", "2"],
        "'soon' is no time": [*good, "--start", "soon"],
        "the warm-up is 'half'": [*good, "--warmup", "half"],
        "expected at least 16 pixels": [*good, "--size", "2"],
        "expected frames a second": [*good, "--fps", "0"],
        "the model has no class 'car'": [*good, "--classes", "car"],
        "has no frame there": [*good, "--start", "99"],
        "is not cast to": [*good, "--dtype", "float16"],
    }
    for match, arguments in cases.items():
        refuses(capsys, arguments, match, out)


def test_folders_that_cannot_be_written(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = clip / "out"
    refuses(capsys, [str(clip), *MODEL, "--out", str(blocked)], "is no folder")
    good = [str(clip), *MODEL, "--out", str(tmp_path / "out")]
    refuses(capsys, [*good, "--save-model", str(blocked)], "is no folder", tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    refuses(capsys, [*good[:-1], str(tmp_path / "full")], "holds something else")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_a_hub_that_cannot_be_reached(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    arguments = [str(clip), "--model", "nobody/nothing", "--out", str(tmp_path / "out")]
    refuses(capsys, arguments, "the model 'nobody/nothing' cannot be loaded", tmp_path / "out")


@pytest.mark.parametrize("size", [(37, 51), (16, 16)])
def test_odd_and_small_frames(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "clip").mkdir()
    write_images(tmp_path / "clip", toy_video(4, size=size))
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "clip"), *MODEL, "--out", str(out)]) == 0
    assert decode_labels(out / "labels" / "000003.png").shape == size


def test_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    """Ctrl-C on a process of its own; the same command then ends as if nothing had happened."""
    (tmp_path / "clip").mkdir()
    write_images(tmp_path / "clip", toy_video(60, size=(40, 56)))
    program = str(Path(sys.executable).with_name("ditta-adapt"))
    command = [program, "run", str(tmp_path / "clip"), *MODEL]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def start(out: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--out", str(out)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    out = tmp_path / "out"
    process = start(out)
    while process.poll() is None and len(list(out.glob("labels/*.png"))) < 10:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from there" in shown
    assert errors == ""
    for path in (out, tmp_path / "whole"):
        process = start(path)
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    for path in (tmp_path / "whole" / "labels").iterdir():
        assert (out / "labels" / path.name).read_bytes() == path.read_bytes()
    whole = tmp_path / "whole" / "overlay.mp4"
    assert (out / "overlay.mp4").read_bytes() == whole.read_bytes()
