"""The command `ditta-adapt run`, as a user meets it."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt.cli import main
from ditta_adapt.io.decoding import VideoFile
from ditta_adapt.io.probe import probe_video
from ditta_adapt.io.video import read_timed_video, write_video
from ditta_adapt.running.bars import Bars
from ditta_adapt.running.label_files import decode_labels
from ditta_adapt.teachers.test_time.adapt import MOST
from tests.io.clips import cut, set_matrix, write_streamable
from tests.running.clips import write_hdr, write_images, write_with_sound
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


def test_what_was_learned_is_kept_by_the_run_that_learned_it(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept"
    arguments = ["run", str(clip), *MODEL, "--out", str(out), "--save-model", str(kept)]
    assert main(arguments) == 0
    learned = (kept / "model.safetensors").read_bytes()
    # Nothing was learned this time, so what was before stays.
    assert main(arguments) == 0
    assert (kept / "model.safetensors").read_bytes() == learned
    elsewhere = tmp_path / "elsewhere"
    capsys.readouterr()
    refuses(capsys, [*arguments[1:-1], str(elsewhere)], "what it learned was not kept")
    assert not elsewhere.exists()
    assert main([*arguments[:-1], str(elsewhere), "--overwrite"]) == 0
    assert (elsewhere / "model.safetensors").read_bytes() == learned


def test_a_video_leaves_nothing_to_the_next_one(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two goes on with a configuration that was saved; the second one was done."""
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", toy_video(5, size=(40, 56)))
    arguments = ["run", str(clip), str(tmp_path / "images"), *MODEL, "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    shutil.rmtree(tmp_path / "out" / "clip")
    with monkeypatch.context() as patch:
        patch.setattr(Bars, "tick", lambda self, done, total: os.kill(os.getpid(), signal.SIGINT))
        assert main(arguments) == 130
    assert main(arguments) == 0


def rotated(path: Path) -> None:
    write_streamable(path, toy_video(6, size=(40, 56)))
    # A quarter turn, as phones write it.
    set_matrix(path, 0, 1, -1, 0)


def uneven(path: Path) -> None:
    times = [0.0, 0.1, 0.4, 0.5, 1.5, 1.6]
    write_video(path, toy_video(6, size=(40, 56)), times=times, fps=10)


def cut_off(path: Path) -> None:
    write_streamable(path, toy_video(20, size=(40, 56)))
    cut(path, 12)


@pytest.mark.parametrize(
    ("make", "size", "note"),
    [
        (rotated, (56, 40), ""),
        (uneven, (40, 56), ""),
        (cut_off, (40, 56), "the file is damaged: only"),
        (write_hdr, (64, 64), "high dynamic range (PQ)"),
        (partial(write_with_sound, frames=6), (32, 48), ""),
    ],
    ids=["rotated", "uneven", "cut off", "hdr of 10 bits", "with sound"],
)
def test_videos_of_all_kinds(
    tmp_path: Path, make: Callable[[Path], None], size: tuple[int, int], note: str
) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    make(clip)
    assert main(["run", str(clip), *MODEL, "--out", str(out), "--quiet"]) == 0
    report = json.loads((out / "report.json").read_text())
    assert tuple(report["size"]) == size
    assert any(note in each for each in report["notes"]) or not note
    shown = [time for time, _ in read_timed_video(out / "overlay.mp4")]
    assert shown == pytest.approx([time for time, _ in VideoFile(clip)], abs=1e-4)
    assert len(shown) == report["frames"]
    assert probe_video(out / "overlay.mp4").sound == probe_video(clip).sound


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_images_of_all_kinds(tmp_path: Path, mode: str) -> None:
    (tmp_path / "clip").mkdir()
    for k, frame in enumerate(toy_video(4, size=(40, 56))):
        grey = Image.fromarray(frame).convert("L")
        image = grey.convert("I").convert(mode) if mode == "I;16" else grey.convert(mode)
        image.save(tmp_path / "clip" / f"{k}.png")
        image.close()
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "clip"), *MODEL, "--out", str(out), "--quiet"]) == 0
    assert len(list((out / "labels").iterdir())) == 4


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    clip, out = tmp_path / "clip", tmp_path / "out"
    clip.mkdir()
    write_images(clip, toy_video(count, size=(40, 56)))
    arguments = [str(clip), *MODEL, "--out", str(out)]
    if count == 0:
        refuses(capsys, arguments, str(clip), out)
    else:
        assert main(["run", *arguments]) == 0
        assert "1 frames in" in capsys.readouterr().out


def test_no_space_left(clip: Path, tmp_path: Path) -> None:
    """The system refuses to let a file grow: one sentence, and no file that is half written."""
    out, program = tmp_path / "out", str(Path(sys.executable).with_name("ditta-adapt"))
    done = subprocess.run(
        [program, "run", str(clip), *MODEL, "--out", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        check=False,
    )
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(out.rglob("*.mp4"))
    assert not list(out.rglob("*.tmp"))


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
        "'0' is no rate": [*good, "--fps", "0"],
        "'1/0' is no rate": [*good, "--fps", "1/0"],
        "there is no video at aaa": ["a" * 300, *good[1:]],
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


MATCHING = ["--propagator", "matching", "--adapt-propagator"]


def test_the_propagator_is_adapted_too(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, "mask_cycle", 3)
    out = tmp_path / "out"
    assert main(["run", str(clip), *MODEL, *MATCHING, "--out", str(out), "--quiet"]) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert "the propagator was trained for" in report["adaptation"]["reason"]
    assert "adapt_propagator" in (out / "report.html").read_text("utf-8")


def test_a_propagator_that_cannot_be_adapted(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flow = [str(clip), *MODEL, "--adapt-propagator", "--out", str(out)]
    refuses(capsys, flow, "OpticalFlowPropagator cannot be trained", out)
