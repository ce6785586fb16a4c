"""J and F of objects, counted frame by frame."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ditta_adapt.evaluation.extra import Classes, Extra, ScoredFrame
from ditta_adapt.metrics import JAndF
from ditta_adapt.metrics.j_and_f import contour_accuracy, region_similarity


class ObjectScores(Extra):
    """Each class but 0 of the first labelled frame is an object; counts are its frames' scores.

    As in `JAndF`, the first and the last labelled frame are left out, and other classes of the
    targets are background. A prediction of any other class is no object, and no error. Frames
    without labels are left out.
    """

    key = "J&F"
    names = ("J", "F", "J&F")

    def __init__(self, classes: Classes) -> None:
        self._ids: Tensor | None = None
        # J and F of every object, frame by frame; the last frame's too.
        self._scores: list[tuple[list[float], list[float]]] = []

    def update(self, frame: ScoredFrame) -> None:
        """See `Extra`."""
        if frame.target is None:
            return
        if self._ids is None:
            self._ids = torch.unique(frame.target[frame.target > 0])
            self._scores = [([], []) for _ in self._ids]
        elif self._scores:
            ids = self._ids[:, None, None]
            pred, target = frame.shown == ids, frame.target == ids
            j, f = region_similarity(pred, target), contour_accuracy(pred, target)
            for scores, *found in zip(self._scores, j.tolist(), f.tolist(), strict=True):
                for kept, score in zip(scores, found, strict=True):
                    kept.append(score)

    def counts(self) -> list[list[list[float]]]:
        """See `Extra`: of every object its `J`, then its `F`, frame by frame."""
        return [[j[:-1], f[:-1]] for j, f in self._scores if len(j) > 1]

    @classmethod
    def pooled(cls, counts: Sequence[Any]) -> dict[str, float]:
        """See `Extra`: means over each object's frames, then over all objects."""
        measure = JAndF()
        for video in counts:
            for j, f in video:
                measure.add_scores(j, f)
        return {"J": measure.j().mean, "F": measure.f().mean, "J&F": measure.value()}
