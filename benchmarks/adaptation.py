"""What does adapting to a warm-up cost beside what it cannot do without?

The floor is the encoder once a frame, and for every pass the decoder, its loss and its backward
pass: nothing else of the method. Adapting is all of `adapt` but the teacher, second looks and
checks, which are switched off: predictions, targets from the model's own labels, training. The
structure of the released program runs both frames of a pair through the whole image model, live and
momentum, in every pass.

    python -m benchmarks.adaptation --device cpu --model mit-b0
    python -m benchmarks.adaptation --device cuda --model mit-b5
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.speed.clock import seconds
from benchmarks.speed.workload import MODELS, build, device_name, median, moving
from ditta_adapt import AdaptConfig, Segmenter, SelfLabels, wrap
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.losses import distillation_loss
from ditta_adapt.models.forward import encode_frame, preprocess_frame
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.reporting.tables import markdown

PASSES = AdaptConfig().training.passes


def floor(segmenter: Segmenter, frames: Sequence[np.ndarray]) -> None:
    """The encoder once a frame; the decoder there and back in every pass."""
    own = private_copy(segmenter)
    parameters = adaptable_parameters(own)
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    encodings = [encode_frame(own, frame_to_tensor(frame)) for frame in frames]
    labels = [own.decode(encoded).logits.detach().argmax(dim=1) for encoded in encodings]
    for _ in range(PASSES):
        for encoded, target in zip(encodings, labels, strict=True):
            loss = distillation_loss(own.decode(encoded).logits, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def adapting(segmenter: Segmenter, frames: Sequence[np.ndarray]) -> None:
    """This library, without teacher and looks."""
    config = replace(AdaptConfig(), look=None, targets=SelfLabels(), memory=None, safety=None)
    wrap(segmenter, config=config).adapt(frames)


def released_structure(segmenter: Segmenter, frames: Sequence[np.ndarray]) -> None:
    """Both frames of a pair through the image model, live and momentum, in every pass."""
    live, momentum = private_copy(segmenter), private_copy(segmenter)
    optimizer = torch.optim.AdamW(adaptable_parameters(live), lr=1e-4)
    images = [preprocess_frame(live, frame_to_tensor(frame)) for frame in frames]
    for _ in range(PASSES):
        for t in range(len(images)):
            pair = torch.cat([images[max(t - 1, 0)], images[t]])
            with torch.no_grad():
                target = momentum.decode(momentum.encode(pair)).logits.argmax(dim=1)
            logits = live.decode(live.encode(pair)).logits
            loss = F.cross_entropy(logits.float(), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


WAYS = {
    "floor": floor,
    "this library, without teacher": adapting,
    "structure of the released program": released_structure,
}


def main(arguments: Sequence[str] | None = None) -> list[list[str]]:
    """Measure, print, and return the lines."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.adaptation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", choices=MODELS, default="mit-b0")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"))
    parser.add_argument("--frames", type=int, default=6, help="of the warm-up")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    segmenter = build(options.model, device)
    frames = moving(options.frames, tuple(options.size))
    for way in WAYS.values():
        way(segmenter, frames[:2])
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            times[name].append(seconds(partial(way, segmenter, frames), device))
    lines = [["", "ms a frame", "to the floor"]]
    first = median(times["floor"])
    for name, own in times.items():
        a_frame = 1e3 * median(own) / len(frames)
        lines.append([name, f"{a_frame:.0f}", f"{median(own) / first:.2f}"])
    print(
        f"{options.model}, {len(frames)} frames of {options.size[0]} x {options.size[1]}, ", end=""
    )
    print(f"{PASSES} passes; {device_name(device)}\n\n{markdown(lines)}")
    return lines


if __name__ == "__main__":
    main()
