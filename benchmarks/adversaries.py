"""Does the guard hold? Teachers that lie, other scenes, models and frames without sense.

ESPNetv2 on the videos of DAVIS-VOC, 10 % warm-up, the default preset. The change of the foreground
IoU against the image model, frame by frame, on the frames after the warm-up:

* `shuffled classes`: the labels to learn have their classes permuted;
* `constant mask`, `random masks`: whatever is prompted, the teacher follows this;
* `shifted masks`: the flow teacher's masks, 40 pixels to the right;
* `shifted warp`: the same of all maps it carries, while adapting and while streaming;
* `other scene`: the warm-up is that of the next video;
* `noise warm-up`: the warm-up frames are noise;
* `random model`: the image model's decoder has random weights.

    python -m benchmarks.adversaries --frames 16
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import WEIGHTS, build_segmenter, image_model, score
from ditta_adapt import AdaptConfig, Frame, HookedSegmenter, Masks, Prompt, VideoSegmenter, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.reporting.tables import markdown
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator

SHIFT = 40
"""Pixels."""


class LyingTeacher:
    """A teacher whose masks are replaced by `lie`; it warps nothing.

    Args:
        lie: from true masks `(N, H, W)` and a frame's index to what is told.
    """

    def __init__(self, lie: Callable[[Tensor, int], Tensor]) -> None:
        self._lie = lie
        self._honest = OpticalFlowPropagator()

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["LyingSession"]:
        """A session on the same frames as the honest teacher's."""
        with self._honest.open(frames) as session:
            yield LyingSession(session, self._lie)


class LyingSession:
    """A session that asks the honest one and tells something else."""

    def __init__(self, honest: Any, lie: Callable[[Tensor, int], Tensor]) -> None:
        self._honest, self._lie = honest, lie

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """See `PropagationSession.prompt`."""
        return self._told(self._honest.prompt(t, prompts), t)

    def propagate(self, t: int, to: int) -> Masks:
        """See `PropagationSession.propagate`."""
        return self._told(self._honest.propagate(t, to), to)

    def _told(self, masks: Masks, t: int) -> Masks:
        return Masks(masks.object_ids, self._lie(masks.masks, t))


class ShiftedWarper:
    """The flow teacher, with everything it warps 40 pixels too far to the right."""

    def __init__(self) -> None:
        self._honest = OpticalFlowPropagator()

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        """A session of the honest teacher, bent."""
        width = frames[len(frames) - 1].shape[1]
        with self._honest.open(frames) as session:
            honest = session.warp

            def warp(maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
                moved, valid = honest(maps, t, to)
                step = round(SHIFT * maps.shape[2] / width)
                return moved.roll(step, 2), valid.roll(step, 1)

            session.warp = warp
            yield session


def constant(masks: Tensor, t: int) -> Tensor:
    """The middle of the frame."""
    told = torch.zeros_like(masks)
    height, width = masks.shape[1:]
    told[:, height // 4 : -height // 4, width // 4 : -width // 4] = True
    return told


def random(masks: Tensor, t: int) -> Tensor:
    """Another rectangle for every object and frame."""
    told = torch.zeros_like(masks)
    height, width = masks.shape[1:]
    rng = np.random.default_rng(t)
    for mask in told:
        y, x = rng.integers(0, height // 2), rng.integers(0, width // 2)
        mask[y : y + height // 3, x : x + width // 3] = True
    return told


def shifted(masks: Tensor, t: int) -> Tensor:
    """40 pixels to the right."""
    return masks.roll(SHIFT, 2)


def shuffled(
    propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> Targets:
    """The teacher's labels with their classes permuted."""
    targets = build_targets(propagator, warm_up, config, progress)
    if not targets.learnable:
        return targets
    order = torch.randperm(
        warm_up.segmenter.num_classes, generator=torch.Generator().manual_seed(0)
    ).to(torch.int16)
    labels = [torch.where(y == IGNORE, y, order[y.clamp(min=0).long()]) for y in targets.labels]
    return replace(targets, labels=labels)


def random_model(weights: Any) -> HookedSegmenter:
    """ESPNetv2 with a decoder that was never trained."""
    segmenter = build_segmenter(weights)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in segmenter.adaptable_modules()["decoder"].modules():
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()
    return segmenter


def own_start(own: LabelledVideo, other: LabelledVideo, count: int) -> Sequence[np.ndarray]:
    """The first frames of the video itself."""
    return own.frames[:count]


def other_start(own: LabelledVideo, other: LabelledVideo, count: int) -> Sequence[np.ndarray]:
    """The first frames of another video."""
    return other.frames[:count]


def noise_start(own: LabelledVideo, other: LabelledVideo, count: int) -> Sequence[np.ndarray]:
    """Noise of the video's size."""
    shape = (count, *own.frames[0].shape)
    return list(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


@dataclass(frozen=True)
class Attack:
    """One way to go wrong; by default nothing does."""

    propagator: Any = "flow"
    builder: TargetBuilder = build_targets
    warmup: Callable[[LabelledVideo, LabelledVideo, int], Sequence[np.ndarray]] = own_start
    random_model: bool = False


ATTACKS = {
    "none": Attack(),
    "shuffled classes": Attack(builder=shuffled),
    "constant mask": Attack(LyingTeacher(constant)),
    "random masks": Attack(LyingTeacher(random)),
    "shifted masks": Attack(LyingTeacher(shifted)),
    "shifted warp": Attack(ShiftedWarper()),
    "other scene": Attack(warmup=other_start),
    "noise warm-up": Attack(warmup=noise_start),
    "random model": Attack(random_model=True),
}


def run(
    attack: Attack,
    whole: LabelledVideo,
    other: LabelledVideo,
    segmenter: HookedSegmenter,
    checked: bool,
    frames: int,
) -> tuple[float, VideoSegmenter]:
    """IoU of the video model, and the model."""
    start = warmup_length(whole)
    model = wrap(
        segmenter,
        propagator=attack.propagator,
        config=AdaptConfig(safety="checked" if checked else None),
        target_builder=attack.builder,
    )
    model.adapt(attack.warmup(whole, other, start))
    return score(scored(whole, frames), start, "adapted", 0.1, model).iou, model


def warmup_length(video: LabelledVideo) -> int:
    """A tenth of a whole video, at least two frames."""
    return max(len(video.frames) // 10, 2)


def scored(video: LabelledVideo, count: int) -> LabelledVideo:
    """The video up to `count` frames after the warm-up."""
    end = warmup_length(video) + count
    return replace(video, frames=video.frames[:end], labels=video.labels[:end])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all attacks on all videos and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.adversaries",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=int, default=1000, help="score so many after the warm-up")
    parser.add_argument("--unchecked", action="store_true", help="leave all checks out")
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    options = parser.parse_args(arguments)
    weights = data_root() / WEIGHTS
    trained, untrained = build_segmenter(weights), random_model(weights)
    videos = list(davis_voc(data_root()))
    image_scores = {
        is_random: [
            score(
                scored(v, options.frames), warmup_length(v), "iss", 0.1, image_model(segmenter)
            ).iou
            for v in videos
        ]
        for is_random, segmenter in ((False, trained), (True, untrained))
    }
    lines = [["teacher, warm-up or model", "mean change", "worst video", "adapted", "changes"]]
    for name in options.attacks:
        attack, changes, adapted = ATTACKS[name], [], 0
        segmenter = untrained if attack.random_model else trained
        before = image_scores[attack.random_model]
        for base, own, other in zip(before, videos, [*videos[1:], videos[0]], strict=True):
            after, model = run(attack, own, other, segmenter, not options.unchecked, options.frames)
            changes.append(after - base)
            adapted += model.speaker == "adapted"
        each = " ".join(f"{change:+.3f}" for change in changes)
        line = [name, f"{np.mean(changes):+.3f}", f"{min(changes):+.3f}"]
        lines.append([*line, f"{adapted} of {len(videos)}", each])
        print(f"{name}: {each}", file=sys.stderr, flush=True)
    print(markdown(lines))


if __name__ == "__main__":
    main()
