"""Tiny videos of a square that moves by whole pixels, flow that is known, and listed labels."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.evaluation import Case, VideoResult
from ditta_adapt.evaluation.extra import Extra, ScoredFrame
from ditta_adapt.evaluation.motion import Motion
from ditta_adapt.evaluation.runner import run_method
from ditta_adapt.evaluation.scores import Scores
from ditta_adapt.evaluation.split import Split

SIZE = (20, 24)
STEP = 2


def square(left: int, label: int = 1) -> Tensor:
    """A square of 6 x 6 whose left edge is in this column; all else is 0."""
    labels = torch.zeros(SIZE, dtype=torch.int64)
    labels[5:11, left : left + 6] = label
    return labels


class KnownFlow:
    """Everything moves by whole columns, forth and back."""

    def __init__(self, forth: int = STEP, back: int = -STEP) -> None:
        self._ways = forth, back

    def prepare(self, frame: Tensor, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def flow(self, first: tuple[int, int], second: tuple[int, int]) -> Tensor:
        flow = torch.zeros(2, 2, *first)
        flow[0, 0], flow[1, 0] = self._ways
        return flow


def known(flow: KnownFlow) -> Callable[[torch.device], KnownFlow]:
    return lambda device: flow


def counted(
    extra: Extra,
    predictions: Sequence[Tensor],
    targets: Sequence[Tensor | None],
    flow: KnownFlow | None = None,
) -> object:
    """What is counted of these labels, where the model's classes are those of the labels."""
    motion = Motion(known(flow or KnownFlow()))
    for prediction, target in zip(predictions, targets, strict=True):
        motion.take(np.zeros((*prediction.shape, 3), np.uint8))
        extra.update(ScoredFrame(prediction, prediction, target, motion))
    return extra.counts()


class Listed:
    """A method that gives out listed labels."""

    def __init__(self, predictions: Iterable[Tensor]) -> None:
        self._predictions = iter(predictions)

    def adapt(self, frames: Iterable[Frame], **options: object) -> None: ...

    def clear_memory(self) -> None: ...

    def reset(self) -> None: ...

    def __call__(self, frame: Frame) -> Tensor:
        return next(self._predictions)


def run_listed(
    predictions: Sequence[Tensor],
    labels: Sequence[np.ndarray | None],
    names: Sequence[str],
    *,
    frames: Sequence[np.ndarray] | None = None,
    relabel: np.ndarray | None = None,
    num_classes: int = 2,
) -> VideoResult:
    """The result of listed labels, on a video that stands still unless `frames` are given."""
    still = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    video = LabelledVideo("a", frames or [still] * len(predictions), labels, relabel)
    split, case = Split(0, range(len(predictions))), Case("listed", "0%", "", "a")
    return run_method(
        Listed(predictions), video, split, num_classes, case, scores=Scores(tuple(names))
    )
