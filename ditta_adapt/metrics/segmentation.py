"""mIoU and weighted IoU, pooled over all frames."""

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics.labels import label_map


class SegmentationScore:
    r"""Confusion matrix over all frames added, and the scores read from it.

    .. math:: IoU_c = \frac{K_{cc}}{\sum_j K_{cj} + \sum_j K_{jc} - K_{cc}}

    with `K[target, prediction]`. Pixels whose target lies outside `[0, C)`, such as 255, are left
    out.

    Args:
        num_classes: `C`.

    Source: the VSPW evaluator.
    """

    def __init__(self, num_classes: int) -> None:
        if num_classes < 1:
            raise InputError(f"num_classes is {num_classes}; expected at least 1.")
        self.num_classes = num_classes
        self.confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def update(self, pred: Tensor | np.ndarray, target: Tensor | np.ndarray) -> None:
        """Add frames: integer label maps of the same shape, `(H, W)` or `(B, H, W)`.

        Raises:
            ShapeError: the shapes differ.
            InputError: a prediction outside `[0, C)` at a pixel that counts.
        """
        prediction, truth = label_map(pred), label_map(target)
        if prediction.shape != truth.shape:
            raise ShapeError(
                f"pred has shape {tuple(prediction.shape)} and target {tuple(truth.shape)}; "
                "expected the same."
            )
        truth = truth.to(prediction.device)
        counted = (truth >= 0) & (truth < self.num_classes)
        prediction, truth = prediction[counted], truth[counted]
        if prediction.numel() == 0:
            return
        low, high = int(prediction.min()), int(prediction.max())
        if low < 0 or high >= self.num_classes:
            raise InputError(
                f"predictions range from {low} to {high}; expected [0, {self.num_classes})."
            )
        cells = truth * self.num_classes + prediction
        counts = torch.bincount(cells, minlength=self.num_classes**2)
        self.confusion += counts.view_as(self.confusion).cpu()

    def iou(self) -> Tensor:
        """IoU of every class, `(C,)` float64; NaN for a class in neither target nor prediction."""
        hit = self.confusion.diagonal().double()
        return hit / (self.confusion.sum(0) + self.confusion.sum(1) - hit)

    def miou(self) -> float:
        """Mean IoU over the classes that occur in the targets; NaN if none does."""
        return float(self.iou()[self.confusion.sum(1) > 0].mean())

    def wiou(self) -> float:
        """IoU weighted by each class's share of the target pixels; NaN if there is none."""
        share = self.confusion.sum(1).double() / self.confusion.sum()
        return float((share * self.iou())[share > 0].sum()) if share.isfinite().all() else np.nan
