"""Targets from ground truth: how far adaptation could get with better labels."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int16
from torch import Tensor

from ditta_adapt.baselines.refinement.refined_labels import (
    check_offset,
    oracle_labels,
    warped_labels,
)
from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError
from ditta_adapt.metrics.labels import label_map
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_warper
from ditta_adapt.teachers.propagator import Propagator


class TrueLabels:
    """Target builder: the ground truth of the warm-up, the ceiling of every other builder.

    Args:
        labels: per warm-up frame `(H, W)` integers, a class or `ignore_index`. They belong to one
            video: give the next video a builder of its own.
        ignore_index: the label of pixels without ground truth.
    """

    def __init__(self, labels: Sequence[Tensor | np.ndarray], *, ignore_index: int = 255) -> None:
        self._truth = _Truth(labels, ignore_index)

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        """The labels themselves; the propagator stays closed.

        Raises:
            InputError: labels that do not fit the warm-up or the classes.
        """
        return _targets(self._truth.on(warm_up), "the ground truth")


class OracleLabels:
    """Target builder: pseudo labels, where they are true.

    Args:
        labels: as of `TrueLabels`.
        offset: whose pseudo labels: the frame's own (none), or those of the frame before (-1) or
            after (1), warped into it by the propagator; a frame without that neighbour has its own.
        relabel: `(C,)` integers, the class of the true labels of each of the model's classes;
            none where they are the same.
        ignore_index: the label of pixels without ground truth.

    Raises:
        InputError: an `offset` of 0.

    Source: UnifiedVideoDA (arXiv 2402.00868); the paper filters a frame's own labels, its program
    those of the neighbour.
    """

    def __init__(
        self,
        labels: Sequence[Tensor | np.ndarray],
        *,
        offset: int | None = None,
        relabel: np.ndarray | None = None,
        ignore_index: int = 255,
    ) -> None:
        if offset is not None:
            check_offset(offset)
        self._truth = _Truth(labels, ignore_index)
        self.offset = offset
        self._relabel = None if relabel is None else torch.from_numpy(relabel.astype(np.int16))

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        """Filter the pseudo labels of every frame.

        Raises:
            InputError: labels that do not fit the warm-up or the classes.
            PropagationError: the propagator is needed, and raised, broke its contract, or cannot
                warp dense maps.
        """
        truth = self._truth.on(warm_up)
        pseudo = [prediction.labels.to(torch.int16) for prediction in warm_up.predictions]
        if self.offset is not None:
            pseudo = _neighbours(propagator, warm_up, pseudo, self.offset, progress)
        kept = [self._true(guess, true) for guess, true in zip(pseudo, truth, strict=True)]
        return _targets(kept, "pseudo labels where they are true")

    def _true(self, guess: Tensor, true: Tensor) -> Tensor:
        if self._relabel is None:
            return oracle_labels(guess, true, ignore_index=IGNORE)
        # A warped guess may be IGNORE, which is no index.
        classes = torch.where(guess == IGNORE, IGNORE, self._relabel[guess.clamp(min=0).long()])
        kept = oracle_labels(classes, true, ignore_index=IGNORE)
        return torch.where(kept == IGNORE, IGNORE, guess).to(torch.int16)


def _neighbours(
    propagator: Propagator,
    warm_up: WarmUp,
    labels: list[Tensor],
    offset: int,
    progress: ProgressCallback,
) -> list[Tensor]:
    """Every frame's labels replaced by its neighbour's; without a neighbour, its own."""
    moved = list(labels)
    with torch.no_grad(), open_warper(propagator, warm_up.video) as session:
        for t in range(len(labels)):
            if 0 <= t + offset < len(labels):
                warped, valid = warped_labels(session, labels[t + offset], t + offset, t)
                moved[t] = torch.where(valid, warped, IGNORE).to(torch.int16)
            progress(Progress("targets", t + 1, len(labels)))
    return moved


def _targets(labels: list[Tensor], source: str) -> Targets:
    learnable = any(bool((frame != IGNORE).any()) for frame in labels)
    return Targets(labels, [], {}, learnable, source if learnable else f"no pixel has {source}")


class _Truth:
    """Ground truth as it was given, and as targets once the warm-up is known."""

    def __init__(self, labels: Sequence[Tensor | np.ndarray], ignore_index: int) -> None:
        self._labels = [label_map(frame).cpu() for frame in labels]
        self._ignore_index = ignore_index

    def on(self, warm_up: WarmUp) -> list[Int16[Tensor, "H W"]]:
        """Per frame, classes and `IGNORE`.

        Raises:
            InputError: another number of frames, another size, or a label that is no class.
        """
        if len(self._labels) != len(warm_up.frames):
            raise InputError(
                f"there are labels for {len(self._labels)} frames, and {len(warm_up.frames)} "
                "warm-up frames; expected one label map per frame."
            )
        return [self._frame(t, frame, warm_up) for t, frame in enumerate(self._labels)]

    def _frame(self, t: int, labels: Tensor, warm_up: WarmUp) -> Int16[Tensor, "H W"]:
        if tuple(labels.shape) != warm_up.size:
            raise InputError(
                f"the labels of frame {t} have shape {tuple(labels.shape)}; expected the frame's "
                f"size {warm_up.size} (H, W)."
            )
        known = labels != self._ignore_index
        num_classes = warm_up.segmenter.num_classes
        wrong = labels[known & ((labels < 0) | (labels >= num_classes))]
        if len(wrong):
            raise InputError(
                f"frame {t} has the label {int(wrong[0])}; expected classes in [0, {num_classes}), "
                f"or {self._ignore_index} where there is no ground truth."
            )
        return torch.where(known, labels, IGNORE).to(torch.int16)
