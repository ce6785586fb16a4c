"""How good the labels are that teach, where somebody knows the truth: for the record only."""

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.domain.source_clips import nearest
from ditta_adapt.metrics import SegmentationScore


class LabelQuality:
    """Scores of the teacher's own labels and of the targets, on the same frames.

    A pixel without a target counts in neither, so that both are asked about the same pixels.

    Args:
        num_classes: of the model.
    """

    def __init__(self, num_classes: int) -> None:
        self.own = SegmentationScore(num_classes)
        self.targets = SegmentationScore(num_classes)

    def add(self, own: Tensor, targets: Tensor, truth: np.ndarray | None) -> None:
        """Add a frame.

        Args:
            own: labels of the teacher, `(h, w)` integers on its grid.
            targets: `(H, W)` integers on any grid, or negative.
            truth: `(H, W)` integers at the frame's size; outside of the classes nothing is known.
        """
        if truth is None:
            return
        size = (truth.shape[0], truth.shape[1])
        true = torch.from_numpy(truth.astype(np.int64))
        taught = nearest(targets.long().cpu(), size)
        true = torch.where(taught >= 0, true, -1)
        self.own.update(nearest(own.long().cpu(), size), true)
        self.targets.update(taught.clamp(min=0), true)

    def miou(self) -> tuple[float | None, float | None]:
        """Of the teacher's labels and of the targets, in [0, 1]; none where nothing is known."""
        if not bool(self.own.confusion.any()):
            return None, None
        return self.own.miou(), self.targets.miou()
