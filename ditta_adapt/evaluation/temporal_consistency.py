"""TC: whether a prediction, motion taken out, is that of the next frame."""

from collections.abc import Sequence
from typing import Any

import torch

from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.confusions import from_cells, summed, to_cells
from ditta_adapt.evaluation.extra import Classes, Extra, ScoredFrame
from ditta_adapt.evaluation.motion import NOWHERE
from ditta_adapt.metrics import SegmentationScore


class TemporalConsistency(Extra):
    """mIoU of each frame's prediction, as the truth, and the next one's, warped back onto it.

    Pixels whose flow is not trusted do not count. Classes are the model's own; no true labels are
    needed.
    """

    key = "TC"
    names = ("TC",)

    def __init__(self, classes: Classes) -> None:
        self._score = SegmentationScore(classes.model)
        self._before: ScoredFrame | None = None

    def update(self, frame: ScoredFrame) -> None:
        """See `Extra`.

        Raises:
            InputError: a prediction that is no class of the model.
        """
        highest, size = int(frame.prediction.max()), self._score.num_classes
        if highest >= size:
            raise InputError(
                f"a prediction is class {highest}; TC expects one of the model's {size} classes."
            )
        if self._before is not None:
            warped = frame.motion.warped_back(frame.prediction)
            truth = self._before.prediction
            self._score.update(warped, torch.where(warped == NOWHERE, -1, truth))
        self._before = frame

    def counts(self) -> dict[str, Any]:
        """See `Extra`."""
        return {"classes": self._score.num_classes, "cells": to_cells(self._score.confusion)}

    @classmethod
    def pooled(cls, counts: Sequence[Any]) -> dict[str, float]:
        """See `Extra`: the mean over classes that are predicted, of all pairs of frames."""
        total = summed([from_cells(video["cells"], int(video["classes"])) for video in counts])
        return {cls.key: SegmentationScore.from_confusion(total).miou()}
