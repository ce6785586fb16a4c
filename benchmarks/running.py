"""What does `ditta-adapt run` cost beside the bare loop, and does its memory stay flat?

A video file of a moving camera is labelled by the library's own loop, which decodes the file and
reads every label map back, and by `run`, which writes label maps, overlay and reports besides; in
turn, as often as is asked. Seconds of the frames after the warm-up, and their ratio; then the
memory of this process while `run` goes on.

    python -m benchmarks.running --model espnetv2 --frames 300
    python -m benchmarks.running --model tiny --size 128 --frames 10000 --rounds 1
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import torch

from benchmarks.speed.workload import MODELS, build, moving
from benchmarks.stream_memory import resident_megabytes
from ditta_adapt import wrap
from ditta_adapt.io.video import read_video, write_video
from ditta_adapt.running.request import Request
from ditta_adapt.running.run import run_video
from ditta_adapt.running.source import open_source

WARMUP = 8


class Timer:
    """Seconds and memory since the end of the warm-up.

    Attributes:
        seconds: from the last warm-up frame to the last frame.
        readings: megabytes, by frame, ten times in all.
    """

    def __init__(self, frames: int) -> None:
        self.seconds, self.readings = 0.0, dict[int, float]()
        self._every, self._start = max(frames // 10, 1), 0.0

    def __call__(self, done: int, total: int | None = None) -> None:
        """A frame has its labels."""
        if done == WARMUP:
            self._start = time.perf_counter()
        self.seconds = time.perf_counter() - self._start
        if done % self._every == 0:
            gc.collect()
            self.readings[done] = resident_megabytes()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.running",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=MODELS, default="espnetv2")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=854, help="width of the video")
    parser.add_argument("--no-report", action="store_true", help="leave report.html out")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    segmenter = build(options.model, torch.device("cpu"))
    frames, ratios = options.frames - WARMUP, list[float]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        size = (2 * round(options.size * 9 / 32), options.size)
        write_video(path, islice(cycle(moving(40, size)), options.frames), fps=25)
        print(f"{options.model}, {size[0]} x {size[1]}, {frames} frames after {WARMUP} of warm-up")
        for number in range(options.rounds):
            bare = Timer(options.frames)
            loop = wrap(segmenter).segment(read_video(path), warmup=WARMUP)
            for done, labels in enumerate(loop, start=1):
                labels.numpy()
                bare(done)
            whole, out = Timer(options.frames), Path(folder) / f"out-{number}"
            request = Request(warmup=WARMUP, page=not options.no_report)
            run_video(open_source([str(path)]), wrap(segmenter), request, out, tick=whole)
            ratios.append(whole.seconds / bare.seconds)
            each = [1000 * timer.seconds / frames for timer in (bare, whole)]
            print(
                f"bare loop {each[0]:.1f} ms a frame, run {each[1]:.1f}: {ratios[-1]:.3f}",
                flush=True,
            )
    print(f"run / bare loop, median of {len(ratios)}: {median(ratios):.3f}")
    for done, megabytes in whole.readings.items():
        print(f"frame {done:6d}: {megabytes:8.1f} MB")


if __name__ == "__main__":
    main()
