"""Does adapting again and again keep an endless stream from harm, whatever comes?

One stream of 20,000 generated frames, another street every 250 frames, another corruption or
another strength of one every 1,000; labelled by the demo's SegFormer. mIoU of every window of
1,000 frames of

* `image model`: frame by frame;
* `once`: adapted to the first eight frames;
* `every 1000`, `every 250`: adapted to the latest eight frames after as many, from the weights of
  the image model, so that each time is a reset, too.

    python -m benchmarks.endless --json endless.json

Rows that the file has already are not measured again.

Source: Press et al., "RDumb: A simple approach that questions our progress in continual test-time
adaptation", NeurIPS 2023: methods that go on adapting fall under the model that they began with,
and a reset every 1,000 steps is hard to beat.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ditta_adapt import wrap
from ditta_adapt.baselines import ImageModel
from ditta_adapt.corruptions import STRENGTH_NAMES, Corruption
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_world, sample_world
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.reporting.tables import plain

WINDOW, STREET, WARMUP, SIZE = 1000, 250, 8, (96, 160)
# Those that need no whole video at hand.
NAMES = (
    *("brightness", "cartoon", "contrast", "defocus_blur", "gaussian_noise", "glass_blur"),
    *("motion_blur", "pixelate", "saturate"),
)
METHODS = {"image model": None, "once": 0, "every 1000": 1000, "every 250": 250}

_DONE = np.empty(0)

Row = dict[str, str | int | float | list[float]]


def plan(windows: int, seed: int) -> list[Corruption | None]:
    """Which corruption each window has; the first has none."""
    random = np.random.default_rng(seed)
    drawn = [
        Corruption(NAMES[int(random.integers(len(NAMES)))], str(random.choice(STRENGTH_NAMES)))
        for _ in range(windows - 1)
    ]
    return [None, *drawn]


def street(start: int, length: int, seed: int, truth: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames of a window, with their labels put into a list as they are made."""
    for t in range(start, start + length):
        world = sample_world(seed + 10_000 + t // STREET)
        frame, labels = render_world(world, t % STREET, SIZE)
        truth.append(labels)
        yield frame


def camera(windows: int, length: int, seed: int, truth: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The stream; labels of a frame are in the list before the frame comes out."""
    for number, corruption in enumerate(plan(windows, seed)):
        frames: Iterable[np.ndarray] = street(number * length, length, seed, truth)
        if corruption is not None:
            frames = corruption.apply(frames, seed=seed + number)  # type: ignore[assignment]
        yield from frames


def measure(method: str, windows: int, length: int, seed: int) -> Row:
    """A row: mIoU of every window, in per cent."""
    truth: list[np.ndarray] = []
    frames = camera(windows, length, seed, truth)
    model = load_demo_model()
    every = METHODS[method]
    labels: Iterable[Tensor]
    if every is None:
        labels = map(ImageModel(model), frames)
    else:
        readapt_every = every * length // WINDOW or None
        labels = wrap(model).segment(frames, warmup=WARMUP, readapt_every=readapt_every)
    started, found = time.perf_counter(), []
    score = SegmentationScore(len(CLASS_NAMES))
    for t, each in enumerate(labels):
        score.update(each, truth[t])
        truth[t] = _DONE
        if (t + 1) % length == 0:
            found.append(100 * score.miou())
            score = SegmentationScore(len(CLASS_NAMES))
            print(f"{method}: window {len(found)}, {found[-1]:.2f}", flush=True)
    seconds = time.perf_counter() - started
    return {"method": method, "windows": windows, "length": length, "miou": found, "s": seconds}


def table(rows: Sequence[Row]) -> str:
    """A line a method: the mean, the gain over the image model, and its worst window."""
    base = np.array(rows[0]["miou"])
    lines = [["", "mIoU", "gain", "worst window", "windows under", "ms a frame"]]
    for row in rows:
        gain = np.array(row["miou"]) - base
        each = 1000 * float(row["s"]) / (int(row["windows"]) * int(row["length"]))  # type: ignore[arg-type]
        mean = np.mean(row["miou"])
        values = f"{mean:.2f}", f"{gain.mean():+.2f}", f"{gain.min():+.2f}", f"{(gain < 0).sum()}"
        lines.append([str(row["method"]), *values, f"{each:.0f}"])
    return plain(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endless",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--length", type=int, default=WINDOW, help="of a window, in frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--json", type=Path, help="file of rows, which is gone on with")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    if options.json and options.json.exists():
        rows = json.loads(options.json.read_text("utf-8"))
    for method in options.methods:
        if method in [row["method"] for row in rows]:
            continue
        rows.append(measure(method, options.windows, options.length, options.seed))
        if options.json:
            write_files({options.json: json.dumps(rows, indent=1)})
    print(table(rows))


if __name__ == "__main__":
    main()
