"""Label a live video: write, frame by frame, which share of the picture each class has.

    python examples/camera_stream.py /dev/video0
    python examples/camera_stream.py rtsp://192.168.1.7/stream --log shares.csv

The first frames are kept, and adapted to; from then on memory is constant, so it may run for days.
Ctrl-C ends it. Put your own model, and the names of its classes, in place of the demo's.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TextIO

import torch

from ditta_adapt import DittaError, Frame, VideoSegmenter, wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES
from ditta_adapt.io.live_video import LiveVideo


def class_shares(
    video: Iterator[tuple[Fraction, Frame]], model: VideoSegmenter, warmup: int
) -> Iterator[tuple[Fraction, list[float]]]:
    """Adapt to the first frames; then the time of each frame, and the share of each class."""
    print(model.adapt(frame for _, frame in islice(video, warmup)), file=sys.stderr)
    # Time has passed: the next frame of a camera does not follow the last one of the warm-up.
    model.clear_memory()
    for time, frame in video:
        labels = model(frame)
        counts = torch.bincount(labels.flatten(), minlength=model.segmenter.num_classes)
        yield time, (counts / labels.numel()).tolist()


def write(rows: Iterator[tuple[Fraction, list[float]]], log: TextIO) -> None:
    """A line a frame, each written at once, so that a power cut costs the last one at most."""
    for time, shares in rows:
        numbers = (f"{share:.4f}" for share in shares)
        print(f"{float(time):.3f}", *numbers, sep=",", file=log, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and label until the video ends or somebody ends it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="a device, an address, a video file, or - for stdin")
    parser.add_argument("--warmup", type=int, default=16, help="frames to adapt to")
    parser.add_argument("--max-side", type=int, default=640, help="larger frames are scaled down")
    parser.add_argument("--log", type=Path, help="file to append to; by default it is printed")
    options = parser.parse_args(arguments)
    model = wrap(load_demo_model())
    video = iter(LiveVideo(options.source, max_side=options.max_side))
    try:
        with nullcontext(sys.stdout) if options.log is None else options.log.open("a") as log:
            if options.log is None or not options.log.stat().st_size:
                print("seconds", *CLASS_NAMES, sep=",", file=log, flush=True)
            write(class_shares(video, model, options.warmup), log)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except DittaError as error:
        print(f"camera_stream: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
