"""Does memory stay flat over a long stream? Resident memory while frames go by.

python -m benchmarks.stream_memory --frames 2000
"""

import argparse
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ditta_adapt import wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import make_world, render_world

WARMUP = 8


def resident_megabytes() -> float:
    """Resident memory of this process now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def camera(num_frames: int) -> Iterator[np.ndarray]:
    """A generated street, rendered as it goes."""
    world = make_world(3)
    for t in range(num_frames):
        yield render_world(world, t)[0]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    options = parser.parse_args()
    readings: dict[int, float] = {}
    stream = wrap(load_demo_model()).segment(camera(options.frames), warmup=WARMUP)
    for t, _ in enumerate(stream, start=1):
        if t % max(options.frames // 10, 1) == 0:
            gc.collect()
            readings[t] = resident_megabytes()
            print(f"frame {t:6d}: {readings[t]:8.1f} MB", flush=True)
    first, last = next(iter(readings.values())), list(readings.values())[-1]
    print(f"last / first reading: {last / first:.4f}")


if __name__ == "__main__":
    main()
