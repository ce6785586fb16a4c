"""What do many videos cost beside the work itself, on one machine and on paper on a thousand?

    python -m benchmarks.batch throughput --videos 100
    python -m benchmarks.batch scaling --videos 100000 --workers 1000

`throughput` labels the same generated videos four times in one run: by the bare function in this
process, by the local engine, and by Ray with one worker and with two. Printed are seconds a video
once workers are ready, what an engine adds to the bare function, and two workers against one.

`scaling` gives that many videos of one second to the driver and Ray as they are; only the work is
replaced by a wait, of which a few processes do all at once. Printed are videos a second, how busy
the workers are, the driver's time on the CPU a video, and its memory. With `--markers` every video
also claims its place and writes its results, which is what the file system sees.
"""

import argparse
import asyncio
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.stream_memory import resident_megabytes
from ditta_adapt.batch import Answer, Engine, Entry, LocalEngine, Task, run_batch
from ditta_adapt.batch.labelling import LabelVideos, task_of
from ditta_adapt.batch.on_ray import RayEngine, Size
from ditta_adapt.batch.place import Place, key_of
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.worker import Worker
from ditta_adapt.io.video import write_video
from ditta_adapt.running.options import read_options
from ditta_adapt.running.stopping import Stop

MODEL = ["--model", "demo", "--warmup", "4", "--preset", "memory", "--no-report"]


class Ready:
    """Notes when the last worker got ready, see `Watch`."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self, standing: Standing, task: Task | None, answer: Answer | None) -> None:
        """An answer came, or a second passed."""
        if answer is not None and answer.kind == "ready":
            self.at = time.perf_counter()


def throughput(videos: int) -> None:
    """Seconds a video by each way."""
    options = read_options(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        tasks = []
        for number in range(videos):
            path = Path(folder) / f"clip{number:04}.mp4"
            noise = np.random.default_rng(number).integers(0, 256, (8, 12, 20, 3), np.uint8)
            write_video(
                path, [np.kron(each, np.ones((8, 8, 1), np.uint8)) for each in noise], fps=10
            )
            tasks.append(task_of(Entry(path.stem, str(path)), options))
        bare = _bare(tasks, options, Path(folder) / "bare") / videos
        print(f"{'bare function':16} {1000 * bare:8.1f} ms a video")
        found = {}
        for name, workers in (("local", 1), ("ray", 1), ("ray", 2)):
            out = Path(folder) / f"{name}{workers}"
            worker = Worker(LabelVideos(options), out, 1, os.getcwd())
            engine: Engine = LocalEngine(worker) if name == "local" else RayEngine(worker, Size())
            ready = Ready()
            run_batch(tasks, engine, out, workers=workers, watch=ready)
            seconds = (time.perf_counter() - ready.at) / videos
            found[name, workers] = seconds
            label = f"{name}, workers: {workers}"
            added = f", {1000 * (seconds - bare):+.1f} beside the bare function" * (workers == 1)
            print(f"{label:16} {1000 * seconds:8.1f} ms a video{added}")
        print(
            f"two workers of Ray are {found['ray', 1] / found['ray', 2]:.2f} times as fast as one"
        )


def _bare(tasks: Sequence[Task], options: argparse.Namespace, out: Path) -> float:
    torch.set_num_threads(1)
    labeller = LabelVideos(options).prepare()
    start = time.perf_counter()
    for task in tasks:
        labeller.do(task, out / task.name, Stop())
    return time.perf_counter() - start


def write_markers(out: Path, task: Task, row: dict[str, Any]) -> None:
    """All that a worker writes of a video, but for its results."""
    identity = {"video": task.payload}
    key, place = key_of(identity), Place(out, task.name)
    with place.claimed():
        place.row(key)
        place.begin(key)
        place.commit(key, identity, row)


def count_changes(out: Path) -> Counter[str]:
    """How often the file system is asked to change something for one video."""
    seen: Counter[str] = Counter()
    watched = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in watched:
            seen[event] += 1
        # Files that are opened for writing: their flags have a bit for that.
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
            seen["create"] += 1

    write_markers(out, Task("first", "first"), {})
    sys.addaudithook(hear)
    write_markers(out, Task("second", "second"), {})
    watched.clear()
    return +seen


class Waiter:
    """Very many workers in one process, whose work is a wait; see `Worker`."""

    def __init__(self, out: Path, seconds: float, markers: bool) -> None:
        self._out, self._seconds, self._markers = out, seconds, markers

    async def prepare(self) -> Answer:
        """Nothing is loaded."""
        return Answer("ready")

    async def perform(self, task: Task) -> Answer:
        """Wait, and leave a marker if asked to."""
        await asyncio.sleep(self._seconds)
        row = {"frames": 25, "seconds": self._seconds, "verdict": "steady", "notes": []}
        if self._markers:
            write_markers(self._out, task, row)
        return Answer("done", row)

    async def stop(self) -> None:
        """Nothing is under way that could be stopped."""


class Crowd(RayEngine):
    """Ray with many workers to a process."""

    def __init__(self, out: Path, seconds: float, markers: bool, workers: int) -> None:
        super().__init__(Worker(LabelVideos(argparse.Namespace()), out, 1, ""), Size())
        crowd = self._ray.remote(num_cpus=1, max_concurrency=workers)(Waiter)
        self._crowd = [crowd.remote(out, seconds, markers) for _ in range(2)]

    def start(self, slot: int) -> None:
        """See `Engine`."""
        actor: Any = self._crowd[slot % len(self._crowd)]
        self._actors[slot] = actor
        self._listen(slot, actor, actor.prepare.remote())


def scaling(videos: int, workers: int, seconds: float, markers: bool) -> None:
    """Videos a second, and what the driver needs for them."""
    out = Path(tempfile.mkdtemp())
    try:
        tasks = [
            Task(f"clip{number:06}", f"videos/clip{number:06}.mp4") for number in range(videos)
        ]
        engine = Crowd(out, seconds, markers, workers)
        before, cpu, start = resident_megabytes(), _cpu_seconds(), time.perf_counter()
        standing = run_batch(tasks, engine, out, workers=workers)
        wall, cpu = time.perf_counter() - start, _cpu_seconds() - cpu
        assert standing.complete
        ideal = seconds * videos / workers
        print(f"{videos} videos of {seconds:g} s by {workers} workers{' with markers' * markers}:")
        print(f"{wall:.1f} s, without any cost {ideal:.1f}; workers busy {ideal / wall:.0%}")
        print(
            f"{videos / wall:.0f} videos a second, of which the driver takes "
            f"{1000 * cpu / videos:.2f} ms each"
        )
        if markers:
            changes = count_changes(out)
            listed = ", ".join(f"{count} {name}" for name, count in sorted(changes.items()))
            print(f"changes to the file system a video: {listed}")
        print(f"memory of the driver {before:.0f} MB before, {resident_megabytes():.0f} after")
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("throughput", "scaling"))
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1000, help="of the simulation")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a video takes there")
    parser.add_argument("--markers", action="store_true", help="write results there, too")
    options = parser.parse_args(arguments)
    if options.what == "throughput":
        throughput(options.videos)
    else:
        scaling(options.videos, options.workers, options.seconds, options.markers)


if __name__ == "__main__":
    main()
