"""The command `ditta-adapt batch`, as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import torch

from ditta_adapt.batch import engines
from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.summary import COLUMNS
from ditta_adapt.batch.work import Task
from ditta_adapt.batch.worker import Worker
from ditta_adapt.cli import main
from ditta_adapt.io.video import write_video
from tests.running.clips import write_images
from tests.toys import toy_video

MODEL = ["--model", "tests.toys:toy_segmenter", "--warmup", "3", "--preset", "memory"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for k in range(2):
        write_video(folder / f"clip{k}.mp4", toy_video(5 + k, size=(40, 56)), fps=10)
    return folder


class Inline:
    """A worker in this process: faster, and just as good where nothing goes wrong."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.answers: list[tuple[int, Answer]] = []

    def start(self, slot: int) -> None:
        self.answers.append((slot, self.worker.prepare()))

    def give(self, slot: int, task: Task) -> None:
        self.answers.append((slot, self.worker.perform(task)))

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        answers, self.answers = self.answers, []
        return answers

    def ask_to_stop(self, slot: int) -> None: ...

    def end(self, slot: int) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    monkeypatch.setattr(engines, "LocalEngine", Inline)
    yield
    torch.set_num_threads(threads)


def batch(*arguments: object, out: Path) -> int:
    try:
        return main(["batch", *map(str, arguments), *MODEL, "--out", str(out)])
    except SystemExit as error:
        return int(str(error.code))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_clock(content: bytes) -> dict[str, Any]:
    report = json.loads(content)
    del report["seconds"]
    if report["adaptation"]:
        report["adaptation"] = {k: v for k, v in report["adaptation"].items() if "seconds" not in k}
    return dict(report)


def test_each_video_is_labelled_as_run_does(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    assert batch(clips / "*.mp4", "--no-report", out=out) == 0
    assert "2 of 2 videos are done." in capsys.readouterr().out
    run = ["run", str(clips / "clip0.mp4"), *MODEL, "--no-report", "--out", str(alone)]
    assert main([*run, "--quiet"]) == 0
    found, expected = files(out / "clip0"), files(alone)
    done = json.loads(found.pop("done.json"))
    assert found.keys() == expected.keys()
    reports = [without_clock(each.pop("report.json")) for each in (found, expected)]
    assert found == expected
    assert reports[0] == reports[1]
    assert done["row"]["frames"] == 5
    assert done["identity"]["threads"] == 1


@pytest.mark.usefixtures("inline")
def test_only_what_is_missing_or_changed_is_done_again(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert batch(clips / "*.mp4", out=out) == 0
    first = files(out)
    assert batch(clips / "*.mp4", out=out) == 0
    assert "2 of 2 videos are done, 2 of them before." in capsys.readouterr().out
    again = files(out)
    for name in ("overview.html", "results.parquet"):
        assert again.pop(name) != first.pop(name)
    assert again == first
    write_video(clips / "clip1.mp4", toy_video(7, size=(40, 56)), fps=10)
    write_video(clips / "clip2.mp4", toy_video(4, size=(40, 56)), fps=10)
    assert batch(clips / "*.mp4", out=out) == 0
    assert "3 of 3 videos are done, 1 of them before." in capsys.readouterr().out
    assert len(list((out / "clip1" / "labels").iterdir())) == 7
    assert files(out / "clip0") == {
        name.removeprefix("clip0/"): content
        for name, content in first.items()
        if name.startswith("clip0/")
    }
    # Another configuration is a change, too.
    assert batch(clips / "clip2.mp4", "--seed", "3", out=out) == 0
    assert "1 of 1 videos are done." in capsys.readouterr().out


@pytest.mark.usefixtures("inline")
def test_a_manifest_with_options_of_single_videos(clips: Path, tmp_path: Path) -> None:
    write_images(clips, toy_video(4, size=(40, 56)))
    (clips / "images").mkdir()
    for path in clips.glob("*.png"):
        path.rename(clips / "images" / path.name)
    (tmp_path / "list.csv").write_text(
        "video,name,stride,labels,no_report\n"
        "clips/clip0.mp4,,2,npz,true\n"
        "clips/clip0.mp4,whole,,,\n"
        "clips/images,,,,\n"
    )
    out = tmp_path / "out"
    assert batch(tmp_path / "list.csv", out=out) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [".ditta-batch", "clip0", "images", "overview.html", "results.parquet", "whole"]
    assert sorted(path.name for path in (out / "clip0").iterdir()) == [
        *("done.json", "labels.npz", "overlay.mp4", "report.json")
    ]
    table = pyarrow.parquet.read_table(out / "results.parquet")
    assert table.column_names == list(COLUMNS)
    assert table["name"].to_pylist() == ["clip0", "whole", "images"]
    assert table["frames"].to_pylist() == [3, 5, 4]
    assert table["status"].to_pylist() == ["done"] * 3


@pytest.mark.usefixtures("inline")
def test_videos_by_address_and_a_scratch_folder(clips: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.write(clips / "clip0.mp4", "day/clip0.mp4")
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    address = f"zip://day/*.mp4::{tmp_path}/clips.zip"
    assert batch(address, "--no-report", "--scratch", scratch, out=out) == 0
    assert batch(clips / "clip0.mp4", "--no-report", out=tmp_path / "near") == 0
    found, expected = files(out / "clip0"), files(tmp_path / "near" / "clip0")
    assert found.keys() == expected.keys()
    for name in found:
        if name not in ("done.json", "report.json"):
            assert found[name] == expected[name]
    # Neither copies of videos nor results under way are left.
    left = [path for folder in (scratch, out / ".ditta-batch") for path in folder.rglob("*")]
    assert [path.name for path in left if path.is_file()] == ["clip0.lock"]


@pytest.mark.usefixtures("inline")
def test_what_cannot_be_labelled_is_set_aside_with_its_reason(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "broken.mp4").write_text("no video")
    out = tmp_path / "out"
    arguments = [clips / "*.mp4", clips / "missing.mov", "--attempts", "1"]
    assert batch(*arguments, out=out) == 1
    shown = capsys.readouterr()
    assert "broken: " in shown.err
    assert "Traceback" not in shown.err
    assert "2 of 4 videos are done; 2 set aside." in shown.out
    assert not (out / "broken").exists()
    table = pyarrow.parquet.read_table(out / "results.parquet").to_pydict()
    by_name = dict(zip(table["name"], table["reason"], strict=True))
    assert "cannot be read" in by_name["broken"]
    assert "missing.mov" in by_name["missing"]
    page = (out / "overview.html").read_text("utf-8")
    assert page.index("broken") < page.index("clip0/report.html")
    # What was seen to be no video stays aside; what was not there may be there by now.
    assert batch(*arguments, "--quiet", out=out) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split(": ")[1] for line in shown.err.splitlines()] == ["missing"]
    # Tried again when asked, or when it changed.
    assert batch(*arguments, "--retry", out=out) == 1
    assert "broken: " in capsys.readouterr().err
    write_video(clips / "broken.mp4", toy_video(4, size=(40, 56)), fps=10)
    assert batch(*arguments, out=out) == 1
    assert "3 of 4 videos are done, 2 of them before; 1 set aside." in capsys.readouterr().out


@pytest.mark.usefixtures("inline")
def test_shards_together_are_the_whole(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for index in range(2):
        assert batch(clips / "*.mp4", "--shard", f"{index}/2", out=out) == 0
        assert "1 of 1 videos are done." in capsys.readouterr().out
    assert sorted(path.name for path in out.glob("*.*")) == [
        *(".ditta-batch", "overview-0-of-2.html", "overview-1-of-2.html"),
        *("results-0-of-2.parquet", "results-1-of-2.parquet"),
    ]
    assert batch(clips / "*.mp4", out=out) == 0
    assert "2 of 2 videos are done, 2 of them before." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["{clips}/*.avi"], "there is no video"),
        (["{clips}/clip0.mp4", "--shard", "2/2"], "expected i/n"),
        (["{clips}/clip0.mp4", "--workers", "2"], "the local engine has one worker"),
        (["{clips}/clip0.mp4", "--threads", "0"], "--threads is 0"),
        (["{clips}/clip0.mp4", "--gpus", "-1"], "--gpus is -1"),
        (["{clips}/clip0.mp4", "--attempts", "0"], "attempts is 0"),
        (["{clips}/clip0.mp4", "--time-limit", "0"], "time limit is 0"),
        (["{clips}/clip0.mp4", "--size", "3"], "at least 16 pixels"),
        (["{clips}/clip0.mp4", "--propagator", "missing"], "missing"),
        (["-"], "is live"),
        (["rtsp://camera/1"], "cannot be opened"),
        (["{clips}/clip0.mp4", "{clips}/../clips/clip0.mp4"], "would both be written to clip0"),
    ],
)
def test_wrong_use(
    clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    match: str,
) -> None:
    out = tmp_path / "out"
    assert batch(*(each.format(clips=clips) for each in arguments), out=out) == 2
    shown = capsys.readouterr()
    assert match in shown.err
    assert "Traceback" not in shown.err
    assert not out.exists()


@pytest.mark.usefixtures("inline")
def test_a_model_that_cannot_be_loaded(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["batch", str(clips / "*.mp4"), "--model", "tests.toys:missing"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "has no 'missing'" in capsys.readouterr().err


def test_stopped_by_the_system_and_gone_on_with(clips: Path, tmp_path: Path) -> None:
    write_video(clips / "clip0.mp4", toy_video(400, size=(40, 56)), fps=10)
    out = tmp_path / "out"
    program = "import sys; from ditta_adapt.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "batch", str(clips / "*.mp4"), *MODEL]
    command += ["--out", str(out)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as first:
        labels = out / ".ditta-batch" / "clip0" / "work" / "labels"
        end = time.monotonic() + 60
        while time.monotonic() < end and not (labels.exists() and len(list(labels.iterdir())) > 9):
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)
        said = first.communicate()[0]
    assert first.returncode == 130
    assert "open" in said
    (checkpoint,) = (out / ".ditta-batch" / "clip0" / "work" / ".ditta-run").glob("checkpoint-*")
    assert checkpoint.is_dir()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "2 of 2 videos are done." in done.stdout
    assert len(list((out / "clip0" / "labels").iterdir())) == 400
