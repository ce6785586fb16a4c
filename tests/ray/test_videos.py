"""Two hundred videos through Ray with a worker killed, as the command labels them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ditta_adapt.io.video import write_video

VIDEOS = 200
PROGRAM = "import sys; from ditta_adapt.cli import main; sys.exit(main())"
MODEL = ["--model", "tests.toys:toy_segmenter", "--warmup", "1", "--preset", "memory"]
OPTIONS = [*MODEL, "--no-report", "--labels", "npz"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(VIDEOS):
        noise = np.random.default_rng(number).integers(0, 256, (2, 24, 32, 3), np.uint8)
        write_video(folder / f"clip{number:03}.mp4", list(noise), fps=10)
    return folder


def start(clips: str, out: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", PROGRAM, "batch", f"{clips}*.mp4", *OPTIONS]
    command += ["--out", str(out), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def finished(out: Path) -> int:
    return len(list(out.glob("clip*")))


def wait_until_finished(out: Path, count: int) -> None:
    end = time.monotonic() + 120
    while finished(out) < count:
        assert time.monotonic() < end, f"only {finished(out)} videos are done"
        time.sleep(0.02)


def workers() -> Iterator[int]:
    """Processes of Ray that are workers of a batch."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                name = (folder / "cmdline").read_bytes().split(b"\0")[0]
            except OSError:
                continue
            if name.startswith(b"ray::Worker"):
                yield int(folder.name)


def content(out: Path) -> dict[str, str]:
    """Digests of all results, reports without their clocks."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        if path.is_dir() or name.parts[0] == ".ditta-batch" or len(name.parts) == 1:
            continue
        data = path.read_bytes()
        if path.suffix == ".json":
            data = json.dumps(without_clock(json.loads(data))).encode()
        found[str(name)] = hashlib.sha256(data).hexdigest()
    return found


def without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if "seconds" not in k}
    return value


def test_all_done_none_twice_and_equal_to_one_worker(clips: Path, tmp_path: Path) -> None:
    alone, out = tmp_path / "alone", tmp_path / "out"
    with start(f"{clips}/", alone) as single:
        said, errors = single.communicate()
    assert single.returncode == 0, errors
    with start(f"{clips}/", out, "--engine", "ray", "--workers", "2") as batch:
        wait_until_finished(out, 20)
        os.kill(next(workers()), signal.SIGKILL)
        said, errors = batch.communicate()
    assert batch.returncode == 0, errors
    assert f"{VIDEOS} of {VIDEOS} videos are done." in said
    assert errors.count("it is tried again") == 1
    assert content(out) == content(alone)
    # None twice: what is done stays as it is.
    with start(f"{clips}/", out, "--engine", "ray", "--workers", "2") as again:
        said = again.communicate()[0]
    assert f"{VIDEOS} of {VIDEOS} videos are done, {VIDEOS} of them before." in said


def test_the_driver_is_killed_and_started_again(clips: Path, tmp_path: Path) -> None:
    out, fifty = tmp_path / "out", f"{clips}/clip0[0-4]"
    with start(fifty, out, "--engine", "ray", "--workers", "2") as first:
        wait_until_finished(out, 10)
        first.kill()
        first.communicate()
    before = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("clip*/done.json")}
    with start(fifty, out, "--engine", "ray", "--workers", "2") as second:
        said, errors = second.communicate()
    assert second.returncode == 0, errors
    assert "50 of 50 videos are done" in said
    after = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("clip*/done.json")}
    assert before.items() <= after.items()


def test_metrics_that_prometheus_reads(ray: Any, clips: Path, tmp_path: Path) -> None:
    from ditta_adapt.cli import main

    few = [str(path) for path in sorted(clips.iterdir())[:3]]
    assert main(["batch", *few, *OPTIONS, "--out", str(tmp_path / "out"), "--engine", "ray"]) == 0
    (node,) = [each for each in ray.nodes() if each["Alive"]]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    values: dict[str, float] = {}
    end = time.monotonic() + 60
    # They are exported now and then, so what is read first may be of the second video.
    while values.get("ray_ditta_batch_videos_total", 0) < 3 and time.monotonic() < end:
        time.sleep(0.5)
        with urllib.request.urlopen(address) as response:
            text = response.read().decode()
        values = {
            line.split("{")[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("ray_ditta_batch")
        }
    assert values["ray_ditta_batch_videos_total"] == 3
    assert values["ray_ditta_batch_frames_total"] == 6
    assert values["ray_ditta_batch_unfinished"] == 0
    assert values["ray_ditta_batch_video_seconds_count"] == 3
