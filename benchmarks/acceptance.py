"""How the rule for targets was chosen: by what good and wrong targets say otherwise.

ESPNetv2 on the videos of DAVIS-VOC, flow teacher. Nothing is trained. For every video and warm-up
it prints the confident disagreement in units of the temporal inconsistency (see
`check_targets_against_model`) of the propagator's own targets and of wrong ones: these moved 40
pixels to the right, a random rectangle or the middle of
the frame in the class of some object, and permuted classes.

Then leave-one-video-out: the threshold that tells good from wrong best on seven videos (in the
middle, on a logarithmic scale, of all that do so equally well), judged on the eighth.

    python -m benchmarks.acceptance --warmup 0.1 0.5
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from benchmarks.adversaries import SHIFT
from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import WEIGHTS, build_segmenter
from ditta_adapt import AdaptConfig, Checks, DenseVote, Targets, WarmUp
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.safety.target_check import check_targets_against_model
from ditta_adapt.targets.build import build_targets

WRONG = ("moved", "rectangles", "middle", "permuted")


@dataclass(frozen=True)
class Case:
    """One kind of targets on one video; `ratio` is disagreement over inconsistency."""

    video: str
    kind: str
    ratio: float


def wrong_targets(targets: Targets, warm_up: WarmUp, kind: str) -> Targets:
    """The targets made wrong."""
    labels = [label.clone() for label in targets.labels]
    trust = [value.clone() for value in targets.confidence]
    height, width = labels[0].shape
    if kind == "moved":
        step = round(SHIFT * width / warm_up.size[1])
        labels = [label.roll(step, 1) for label in labels]
        trust = [value.roll(step, 1) for value in trust]
    elif kind == "permuted":
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(warm_up.segmenter.num_classes, generator=generator).short()
        labels = [order[label.long()] for label in labels]
    else:
        counts = torch.stack(labels).long().flatten().bincount()
        counts[int(counts.argmax())] = 0
        rng = np.random.default_rng(0)
        for label, value in zip(labels, trust, strict=True):
            y, x = height // 4, width // 4
            if kind == "rectangles":
                y, x = int(rng.integers(0, height // 2)), int(rng.integers(0, width // 2))
            box: tuple[slice, slice] = (slice(y, y + height // 2), slice(x, x + width // 2))
            label[box], value[box] = int(counts.argmax()), 1.0
    return replace(targets, labels=labels, confidence=trust)


def measure(video: str, frames: Sequence[np.ndarray]) -> list[Case]:
    """The ratios of all kinds of targets on a warm-up."""
    segmenter, config = (
        build_segmenter(data_root() / WEIGHTS),
        AdaptConfig(targets=DenseVote(), look=None),
    )
    with torch.no_grad():
        warm_up = WarmUp.from_frames(segmenter, frames_to_tensors(frames), silent)
        logits: list[Tensor] = [warm_up.grid_logits(t) for t in range(len(frames))]
        good = build_targets(OpticalFlowPropagator(), warm_up, config, silent)
        cases = []
        for kind in ("good", *WRONG):
            targets = good if kind == "good" else wrong_targets(good, warm_up, kind)
            verdict = check_targets_against_model(targets, logits.__getitem__, len(frames))
            ratio = verdict.confident_disagreement / verdict.temporal_inconsistency
            cases.append(Case(video, kind, ratio))
    return cases


def best_threshold(cases: Sequence[Case]) -> float:
    """Which ratio tells good from wrong with fewest errors."""
    good = [case.ratio for case in cases if case.kind == "good"]
    wrong = [case.ratio for case in cases if case.kind != "good"]
    edges = sorted({*good, *wrong})
    middles = [math.sqrt(low * high) for low, high in pairwise(edges)]

    def errors(threshold: float) -> int:
        return sum(r > threshold for r in good) + sum(r <= threshold for r in wrong)

    fewest = min(map(errors, middles))
    equal = [threshold for threshold in middles if errors(threshold) == fewest]
    return math.sqrt(equal[0] * equal[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the ratios and the leave-one-video-out check."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.acceptance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--warmup", type=float, nargs="+", default=[0.1, 0.5])
    options = parser.parse_args(arguments)
    cases: list[Case] = []
    print("| video | warm-up | good | " + " | ".join(WRONG) + " |")
    print("|---|---|" + "---|" * (1 + len(WRONG)))
    for video in davis_voc(data_root()):
        for warmup in options.warmup:
            count = max(len(video.frames) * round(100 * warmup) // 100, 1)
            new = measure(video.name, video.frames[:count])
            cases += new
            shown = " | ".join(f"{case.ratio:.2f}" for case in new)
            print(f"| {video.name} | {warmup:.0%} | {shown} |", flush=True)
    print("\n| left out | threshold of the others | good kept | wrong refused |")
    print("|---|---|---|---|")
    for name in dict.fromkeys(case.video for case in cases):
        threshold = best_threshold([case for case in cases if case.video != name])
        own = [case for case in cases if case.video == name]
        kept = [case.ratio <= threshold for case in own if case.kind == "good"]
        refused = [case.ratio > threshold for case in own if case.kind != "good"]
        print(
            f"| {name} | {threshold:.2f} | {sum(kept)} of {len(kept)} | "
            f"{sum(refused)} of {len(refused)} |"
        )
    print(f"\non all: {best_threshold(cases):.2f}; in use: {Checks().confident_disagreement}")


if __name__ == "__main__":
    main()
