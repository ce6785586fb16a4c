"""What does streaming cost beside the image model alone?

The image model and its wrapped forms label the same frames in turn, label maps read back each
time; medians, and their ratio to the image model. The default preset looks a second time now and
then: its row is the mean over all of its frames, of which there should be 200 or more.

    python -m benchmarks.overhead --device cpu --model mit-b0
    python -m benchmarks.overhead --device cuda --model mit-b5 --json overhead.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.clock import interleaved, seconds
from benchmarks.speed.workload import (
    MODELS,
    build,
    device_name,
    image_model,
    median,
    moving,
)
from ditta_adapt import AdaptConfig, Segmenter, VideoSegmenter, wrap
from ditta_adapt.reporting.tables import markdown

WARMUP = 3


@dataclass
class Row:
    """One way to stream.

    Attributes:
        name: in plain words.
        milliseconds: a frame.
        ratio: to the image model alone.
        megabytes: of the device, at most, beyond what the image model alone takes.
        note: why a model is not compiled, or `""`.
    """

    name: str
    milliseconds: float
    ratio: float
    megabytes: float | None = None
    note: str = ""


def streaming(
    segmenter: Segmenter, frames: Sequence[np.ndarray], config: AdaptConfig, *, compile: bool
) -> VideoSegmenter:
    """A video model that was adapted to the first frames."""
    video_model = wrap(segmenter, config=config, compile=compile)
    video_model.adapt(frames[:WARMUP])
    return video_model


def configurations() -> dict[str, AdaptConfig]:
    """What is compared, by its name; unchecked, so that all of them speak."""
    default = replace(AdaptConfig(), look=None, safety=None)
    quick = replace(default.training, passes=1)
    default = replace(default, training=quick)
    return {"without memory": replace(default, memory=None), "default, no looks": default}


def measure(
    segmenter: Segmenter, frames: Sequence[np.ndarray], device: torch.device, *, looked: int
) -> list[Row]:
    """All rows for one image model.

    Args:
        segmenter: the image model.
        frames: as many as are timed, and the warm-up before them.
        device: where it is.
        looked: frames of the row with second looks; 0 to leave it out.
    """
    shown = frames[WARMUP:]

    def alone(number: int) -> Any:
        return image_model(segmenter, shown[number % len(shown)], device)

    names, calls, notes = ["image model alone"], [alone], [""]
    for compile in (False, True) if device.type == "cuda" else (False,):
        for name, config in configurations().items():
            video_model = streaming(segmenter, frames, config, compile=compile)
            names.append(f"{name}, compiled" if compile else name)
            calls.append(labeller(video_model, shown))
            stream: Any = video_model._stream
            notes.append(stream.compile(stream.state.frame))
    times = interleaved(calls, device, rounds=len(shown) - 3)
    first = median(times[0])
    rows = [
        Row(name, 1e3 * median(own), median(own) / first, note=note)
        for name, own, note in zip(names, times, notes, strict=True)
    ]
    for row, call in zip(rows, calls, strict=True):
        row.megabytes = peak(call, device)
    rows = [replace(row, megabytes=beyond(row, rows[0])) for row in rows]
    for compile in (False, True) if device.type == "cuda" else (False,):
        if not looked:
            continue
        default = streaming(segmenter, frames, AdaptConfig(), compile=compile)
        label = labeller(default, shown)
        total = sum(seconds(partial(label, t), device) for t in range(looked)) / looked
        name = f"default with looks, mean of {looked}" + (", compiled" if compile else "")
        rows.append(Row(name, 1e3 * total, total / first))
    return rows


def labeller(video_model: VideoSegmenter, frames: Sequence[np.ndarray]) -> Callable[[int], Any]:
    """Label the frame of a number, and read the labels."""
    return lambda number: video_model(frames[number % len(frames)]).cpu().numpy()


def peak(call: Callable[[int], Any], device: torch.device) -> float | None:
    """Megabytes that one call takes at most beyond what is there before it."""
    if device.type != "cuda":
        return None
    call(0)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call(1)
    return (torch.cuda.max_memory_allocated(device) - before) / 1e6


def beyond(row: Row, first: Row) -> float | None:
    """Megabytes over those of the image model alone."""
    if row.megabytes is None or first.megabytes is None:
        return None
    return row.megabytes - first.megabytes


def table(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    lines = [["", "ms a frame", "ratio", "MB over the image model", ""]]
    for row in rows:
        megabytes = "" if row.megabytes is None else f"{row.megabytes:.0f}"
        lines.append([row.name, f"{row.milliseconds:.1f}", f"{row.ratio:.2f}", megabytes, row.note])
    return markdown(lines)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print, and return the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", choices=MODELS, default="mit-b0")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--looked", type=int, default=200, help="frames of the row with looks")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    segmenter = build(options.model, device, dtype=getattr(torch, options.dtype))
    frames = moving(options.frames + WARMUP + 3, tuple(options.size))
    rows = measure(segmenter, frames, device, looked=options.looked)
    print(f"{options.model}, {options.size[0]} x {options.size[1]}, {options.dtype}; ", end="")
    print(f"{device_name(device)}\n\n{table(rows)}")
    found = [vars(row) for row in rows]
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main()
