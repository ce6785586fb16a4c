"""Scores along borders: see `BoundaryIoU`, whose readings have a name each."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ditta_adapt.evaluation.extra import Classes, Extra, ScoredFrame
from ditta_adapt.metrics import BoundaryIoU


class Boundary(Extra):
    """The band along borders, whole label maps compared: counts are the frames' scores."""

    key = "mBIoU"
    names = ("mBIoU",)
    options: ClassVar[dict[str, bool]] = {}

    def __init__(self, classes: Classes) -> None:
        self._score = BoundaryIoU(classes.shown, **self.options)

    def update(self, frame: ScoredFrame) -> None:
        """See `Extra`; frames without labels are left out."""
        if frame.target is not None:
            self._score.update(frame.shown, frame.target)

    def counts(self) -> list[float]:
        """See `Extra`."""
        return list(self._score.scores)

    @classmethod
    def pooled(cls, counts: Sequence[Any]) -> dict[str, float]:
        """See `Extra`: the mean over all frames."""
        # Stored scores do not depend on the number of classes.
        score = BoundaryIoU(1)
        for video in counts:
            score.add_scores(video)
        return {cls.key: score.value()}


class BoundaryPerClass(Boundary):
    """The band, class by class."""

    key = "mBIoU-class"
    names = ("mBIoU-class",)
    options: ClassVar[dict[str, bool]] = {"per_class": True}


class BoundaryLiteral(Boundary):
    """The published formula to the letter."""

    key = "mBIoU-literal"
    names = ("mBIoU-literal",)
    options: ClassVar[dict[str, bool]] = {"literal": True}
