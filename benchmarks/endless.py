"""Does adapting again and again keep an endless stream from harm, whatever comes?

One stream of 20,000 generated frames, another street every 250 frames, another corruption or
another strength of one every 1,000; labelled by the demo's SegFormer. mIoU of every window of
1,000 frames of

* `image model`: frame by frame;
* `once`: adapted to the first eight frames;
* `every 1000`, `every 250`: adapted to the latest eight frames after as many, from the weights of
  the image model, so that each time is a reset, too.

    python -m benchmarks.endless

Source: Press et al., "RDumb: A simple approach that questions our progress in continual test-time
adaptation", NeurIPS 2023: methods that go on adapting fall under the model that they began with,
and a reset every 1,000 steps is hard to beat.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee

import numpy as np
from torch import Tensor

from ditta_adapt import wrap
from ditta_adapt.baselines import ImageModel
from ditta_adapt.corruptions import STRENGTH_NAMES, Corruption
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_world, sample_world
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


def labelled(method: str, frames: Iterator[np.ndarray], length: int) -> Iterator[Tensor]:
    """The labels of a method for the stream, as it comes."""
    model, every = load_demo_model(), METHODS[method]
    if every is None:
        yield from map(ImageModel(model), frames)
    else:
        readapt_every = every * length // WINDOW or None
        yield from wrap(model).segment(frames, warmup=WARMUP, readapt_every=readapt_every)


def measure(methods: Sequence[str], windows: int, length: int, seed: int) -> Iterator[list[float]]:
    """mIoU in per cent of every window, one number a method. The stream is rendered once."""
    truth: list[np.ndarray] = []
    streams = tee(camera(windows, length, seed, truth), len(methods))
    labels = [labelled(*each, length) for each in zip(methods, streams, strict=True)]
    for number in range(windows):
        scores = [SegmentationScore(len(CLASS_NAMES)) for _ in methods]
        for t in range(number * length, (number + 1) * length):
            for score, method in zip(scores, labels, strict=True):
                score.update(next(method), truth[t])
            truth[t] = _DONE
        yield [100 * score.miou() for score in scores]


def table(methods: Sequence[str], rows: Sequence[Sequence[float]]) -> str:
    """A line a method: the mean, the gain over the first one, and its worst window."""
    values = np.array(rows)
    lines = [["", "mIoU", "gain", "worst window", "windows under"]]
    for number, name in enumerate(methods):
        gain = values[:, number] - values[:, 0]
        mean = values[:, number].mean()
        shown = f"{mean:.2f}", f"{gain.mean():+.2f}", f"{gain.min():+.2f}", f"{(gain < 0).sum()}"
        lines.append([name, *shown])
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
    options = parser.parse_args(arguments)
    corruptions = plan(options.windows, options.seed)
    rows: list[list[float]] = []
    for row in measure(options.methods, options.windows, options.length, options.seed):
        shown = ", ".join(f"{value:.2f}" for value in row)
        print(f"{len(rows) + 1} ({corruptions[len(rows)] or 'clean'}): {shown}", flush=True)
        rows.append(row)
    print(table(options.methods, rows))


if __name__ == "__main__":
    main()
