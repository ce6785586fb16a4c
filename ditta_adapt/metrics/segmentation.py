"""mIoU, weighted IoU and class accuracy, pooled over all frames."""

from collections.abc import Collection

import torch
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics.labels import Labels, label_map, label_pair


class SegmentationScore:
    r"""Confusion matrix over all frames added, and the scores read from it.

    .. math:: IoU_c = \frac{K_{cc}}{\sum_j K_{cj} + \sum_j K_{jc} - K_{cc}}

    with `K[target, prediction]`, attribute `confusion`: `(C, C)` int64, on the device of the last
    predictions. Pixels whose target lies outside `[0, C)`, such as 255, are left out. All scores
    are in [0, 1], in double precision, on the CPU.

    Args:
        num_classes: `C`.
        ignored: targets inside `[0, C)` that are left out as well.

    Source: the VSPW evaluator.
    """

    def __init__(self, num_classes: int, *, ignored: Collection[int] = ()) -> None:
        if num_classes < 1:
            raise InputError(f"num_classes is {num_classes}; expected at least 1.")
        self.num_classes = num_classes
        self.ignored = frozenset(ignored)
        self.confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64, device="cpu")

    @classmethod
    def from_confusion(cls, confusion: Labels) -> "SegmentationScore":
        """The score of a stored confusion matrix, `(C, C)` integers `K[target, prediction]`.

        Raises:
            ShapeError: not square.
            InputError: not integers, or negative.
        """
        counts = label_map(confusion, "counts")
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
            raise ShapeError(
                f"confusion has shape {tuple(counts.shape)}; expected (C, C), targets by "
                "predictions."
            )
        if (counts < 0).any():
            raise InputError(
                f"confusion has a count of {int(counts.min())}; expected none under 0."
            )
        score = cls(counts.shape[0])
        score.confusion = counts
        return score

    def update(self, pred: Labels, target: Labels) -> None:
        """Add frames: integer label maps of the same shape, `(H, W)` or `(B, H, W)`.

        Raises:
            ShapeError: the shapes differ.
            InputError: a prediction outside `[0, C)` at a pixel that counts. Nothing is added.
        """
        prediction, truth = label_pair(pred, target)
        size = self.num_classes
        counted = (truth >= 0) & (truth < size)
        for label in self.ignored:
            counted &= truth != label
        known = (prediction >= 0) & (prediction < size)
        # Two cells past the matrix: pixels left out, and predictions out of range. Unlike
        # selecting pixels or bincount, this never waits for the device.
        cells = torch.where(known, truth * size + prediction, size**2 + 1)
        cells = torch.where(counted, cells, size**2).flatten()
        counts = cells.new_zeros(size**2 + 2)
        counts.index_add_(0, cells, cells.new_ones(1).expand_as(cells))
        if counts[-1] > 0:
            wrong = prediction[counted]
            raise InputError(
                f"predictions range from {int(wrong.min())} to {int(wrong.max())}; expected "
                f"[0, {size})."
            )
        self.confusion = self.confusion.to(counts.device) + counts[:-2].view(size, size)

    def merge(self, other: "SegmentationScore") -> None:
        """Add all frames of another score, as if they had been added here.

        Raises:
            InputError: the other has another number of classes.
        """
        if other.num_classes != self.num_classes:
            raise InputError(
                f"the other score has {other.num_classes} classes; expected {self.num_classes}."
            )
        self.confusion = self.confusion + other.confusion.to(self.confusion.device)

    def iou(self) -> Tensor:
        """IoU of every class, `(C,)` float64; NaN for a class in neither target nor prediction."""
        confusion = self.confusion.cpu()
        hit = confusion.diagonal()
        return hit.double() / (confusion.sum(0) + confusion.sum(1) - hit)

    def miou(self, *, include_predicted: bool = False) -> float:
        """Mean IoU over the classes that occur in the targets; NaN if none does.

        Args:
            include_predicted: also average the classes that are only predicted, whose IoU is 0,
                as mmsegmentation does.
        """
        if include_predicted:
            return float(self.iou().nanmean())
        return float(self.iou()[self._target_pixels() > 0].mean())

    def wiou(self) -> float:
        """IoU weighted by each class's share of the target pixels; NaN if there is none."""
        pixels = self._target_pixels()
        share = pixels.double() / pixels.sum()
        return float((share * self.iou())[pixels > 0].sum()) if pixels.any() else float("nan")

    def accuracy(self) -> Tensor:
        """Recall of every class, `K_cc / sum_j K_cj`: `(C,)` float64; NaN for one in no target."""
        return self.confusion.cpu().diagonal().double() / self._target_pixels()

    def mean_accuracy(self) -> float:
        """Mean recall over the classes that occur in the targets; NaN if none does."""
        return float(self.accuracy().nanmean())

    def _target_pixels(self) -> Tensor:
        return self.confusion.cpu().sum(1)
