"""How good predictions are as pseudo-labels of their neighbours: see `PseudoLabelScore`."""

from collections.abc import Sequence
from typing import Any

from ditta_adapt.evaluation.confusions import from_cells, summed, to_cells
from ditta_adapt.evaluation.extra import Classes, Extra, ScoredFrame
from ditta_adapt.evaluation.motion import NOWHERE
from ditta_adapt.metrics import PseudoLabelScore, SegmentationScore

_COMPARED = ("prediction_consistency", "warped", "consistent")


class PseudoLabels(Extra):
    """Of each labelled frame: its prediction, the next one's warped back onto it, and the truth."""

    key = "PL"
    names = (
        "PL-PredConsis-mIoU",
        "PL-Warped-mIoU",
        "PL-Warped-Acc",
        "PL-Consistency-mIoU",
        "PL-Consistency-Acc",
        "retained",
    )

    def __init__(self, classes: Classes) -> None:
        self._score = PseudoLabelScore(classes.shown, ignore_index=NOWHERE)
        self._before: ScoredFrame | None = None

    def update(self, frame: ScoredFrame) -> None:
        """See `Extra`; only the earlier of two frames needs labels."""
        before, self._before = self._before, frame
        if before is not None and before.target is not None:
            warped = frame.motion.warped_back(frame.shown)
            self._score.update(before.shown, warped, before.target)

    def counts(self) -> dict[str, Any]:
        """See `Extra`."""
        cells = {name: to_cells(getattr(self._score, name).confusion) for name in _COMPARED}
        return {
            "classes": self._score.num_classes,
            "valid": self._score.valid_pixels,
            "retained": self._score.retained_pixels,
            **cells,
        }

    @classmethod
    def pooled(cls, counts: Sequence[Any]) -> dict[str, float]:
        """See `Extra`: of all pairs of frames."""
        size = max(int(video["classes"]) for video in counts)
        score = PseudoLabelScore(size, ignore_index=NOWHERE)
        for name in _COMPARED:
            total = summed([from_cells(video[name], int(video["classes"])) for video in counts])
            setattr(score, name, SegmentationScore.from_confusion(total))
        score.valid_pixels = sum(int(video["valid"]) for video in counts)
        score.retained_pixels = sum(int(video["retained"]) for video in counts)
        return score.value()
