"""SAM2 of transformers on many objects: one at a time, as the library follows them, and in batches.

Both follow the same objects, prompted on the first frame, through the same frames in one direction;
image features are shared. Printed are the times, their ratio, and the share of pixels of all masks
that are the same. Weights are random: how long a step takes does not depend on them.

    python -m benchmarks.sam2_speed --device cuda --objects 40
    python -m benchmarks.sam2_speed --device cpu --size tiny --objects 4
"""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import transformers
from torch import Tensor

from benchmarks.speed.clock import seconds
from benchmarks.speed.workload import device_name, median, moving
from ditta_adapt import Prompt
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.reporting.tables import markdown

SIZES: dict[str, dict[str, Any]] = {
    "large": {
        "embed_dim_per_stage": [144, 288, 576, 1152],
        "blocks_per_stage": [2, 6, 36, 4],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "window_size_per_stage": [8, 4, 16, 8],
        "global_attention_blocks": [23, 33, 43],
        "hidden_size": 144,
        "num_attention_heads": 2,
    },
    "tiny": {},
}


def model_of(size: str, device: torch.device) -> Any:
    """A SAM2 with random weights: hiera-large, or hiera-tiny."""
    torch.manual_seed(0)
    backbone = {"model_type": "sam2_hiera_det_model", **SIZES[size]}
    vision: dict[str, Any] = {"model_type": "sam2_vision_model", "backbone_config": backbone}
    if SIZES[size]:
        vision["backbone_channel_list"] = SIZES[size]["embed_dim_per_stage"][::-1]
    config = transformers.Sam2VideoConfig(vision_config=vision)
    return transformers.Sam2VideoModel(config).eval().to(device)


def prompts_on(frame: np.ndarray, count: int) -> list[Prompt]:
    """Points on a grid, and squares around them."""
    height, width = frame.shape[:2]
    columns = int(np.ceil(np.sqrt(count)))
    found = []
    for number in range(count):
        y = int((number // columns + 0.5) * height / columns)
        x = int((number % columns + 0.5) * width / columns)
        region = torch.zeros(height, width, dtype=torch.bool)
        region[max(y - 20, 0) : y + 20, max(x - 20, 0) : x + 20] = True
        found.append(Prompt(number, (x, y), region))
    return found


def follow(
    propagator: Sam2TransformersPropagator, frames: Sequence[np.ndarray], count: int
) -> list[Tensor]:
    """Masks on every frame but the first."""
    with propagator.open(frames) as session:
        session.prompt(0, prompts_on(frames[0], count))
        return [session.propagate(t, to).masks for t, to in pairwise(range(len(frames)))]


def one_at_a_time(video: Any, run: Any, t: int) -> Iterator[Any]:
    """In place of `batches`: what the library does."""
    yield run


def main(arguments: Sequence[str] | None = None) -> list[list[str]]:
    """Measure, print, and return the lines."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sam2_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", choices=SIZES, default="large")
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    with warnings.catch_warnings():
        # Its weights are random on purpose.
        warnings.simplefilter("ignore")
        propagator = Sam2TransformersPropagator(model_of(options.size, device))
    frames = moving(options.frames)
    way = "ditta_adapt.adapters.sam2_transformers.session.batches"
    times: dict[str, list[float]] = {"one at a time": [], "in batches": []}
    masks: dict[str, list[Tensor]] = {}

    def run(name: str) -> None:
        masks[name] = follow(propagator, frames, options.objects)

    follow(propagator, frames[:3], options.objects)
    for _ in range(options.rounds):
        with patch(way, one_at_a_time):
            times["one at a time"].append(seconds(lambda: run("one at a time"), device))
        times["in batches"].append(seconds(lambda: run("in batches"), device))
    one, other = (torch.stack(found) for found in masks.values())
    first = median(times["one at a time"])
    lines = [["", "s", "faster"]]
    for name, own in times.items():
        lines.append([name, f"{median(own):.2f}", f"{first / median(own):.1f}"])
    print(
        f"SAM2 hiera-{options.size}, {options.objects} objects, {len(frames)} frames, one "
        f"direction; {device_name(device)}\n\n{markdown(lines)}\n\n"
        f"{float((one == other).float().mean()):.4%} of the pixels of all masks are the same"
    )
    return lines


if __name__ == "__main__":
    main()
