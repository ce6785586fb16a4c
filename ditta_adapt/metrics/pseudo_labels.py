"""PL-PredConsis, PL-Warped and PL-Consistency: how good pseudo-labels from two frames are."""

import torch

from ditta_adapt.errors import InputError
from ditta_adapt.metrics.labels import Labels, label_pair
from ditta_adapt.metrics.segmentation import SegmentationScore


class PseudoLabelScore:
    """Scores of a prediction, and of another frame's prediction warped onto it.

    For a frame's prediction `p`, another frame's prediction warped onto it `w`, and the target
    `y`, pooled over all frames:

    ====================  =======================================  ======================
    score                 compared                                 attribute
    ====================  =======================================  ======================
    PL-PredConsis-mIoU    `w` with `p`                             `prediction_consistency`
    PL-Warped-mIoU, -Acc  `w` with `y`                             `warped`
    PL-Consistency-...    `p` with `y`, only where `w = p`         `consistent`
    retained              share of pixels with `w = p` among those where `w` is valid
    ====================  =======================================  ======================

    The attributes are `SegmentationScore`s. mIoU also averages classes that occur in only one of
    the two maps; Acc is the mean recall over the classes that occur in the targets. Pixels where
    one of the two compared maps is `ignore_index` are left out, and it never agrees with itself.

    Args:
        num_classes: `C`.
        ignore_index: what marks, in `pred` and `warped`, a pixel without a label; outside
            `[0, C)`.
        unified_video_da_compat: PL-Warped-Acc as UnifiedVideoDA computes it. It takes the target
            for the prediction and the other way round, so that its number is the mean
            *precision* over the classes that occur in `w`. IoU is the same either way.

    Source: "We're Not Using Videos Effectively" (arXiv 2402.00868) and its program.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_index: int = 255,
        unified_video_da_compat: bool = False,
    ) -> None:
        if 0 <= ignore_index < num_classes:
            raise InputError(
                f"ignore_index is {ignore_index}, which is one of the {num_classes} classes; "
                "expected a label outside of them."
            )
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.unified_video_da_compat = unified_video_da_compat
        self.prediction_consistency = SegmentationScore(num_classes)
        self.warped = SegmentationScore(num_classes)
        self.consistent = SegmentationScore(num_classes)
        self.valid_pixels = 0
        self.retained_pixels = 0

    def update(self, pred: Labels, warped: Labels, target: Labels) -> None:
        """Add frames: integer label maps of the same shape, `(H, W)` or `(B, H, W)`.

        Args:
            pred: `p`, in `[0, C)` or `ignore_index`.
            warped: `w`, in `[0, C)`, or `ignore_index` where nothing was warped to.
            target: `y`; outside `[0, C)` it is left out.

        Raises:
            ShapeError: the shapes differ.
            InputError: a label of `pred` or `warped` that is neither. Nothing is added.
        """
        prediction, truth = label_pair(pred, target)
        _, warp = label_pair(prediction, warped, "warped")
        predicted, valid = prediction != self.ignore_index, warp != self.ignore_index
        retained = predicted & valid & (prediction == warp)
        foreign = (predicted & self._foreign(prediction)) | (valid & self._foreign(warp))
        counts = torch.stack([foreign.sum(), valid.sum(), retained.sum()]).tolist()
        if counts[0]:
            raise InputError(
                f"pred or warped has {counts[0]} pixels with a label outside "
                f"[0, {self.num_classes}) that is not ignore_index, {self.ignore_index}."
            )
        self.valid_pixels += counts[1]
        self.retained_pixels += counts[2]
        self.prediction_consistency.update(prediction, torch.where(predicted, warp, -1))
        self.warped.update(warp, torch.where(valid, truth, -1))
        self.consistent.update(prediction, torch.where(retained, truth, -1))

    def merge(self, other: "PseudoLabelScore") -> None:
        """Add all frames of another score, as if they had been added here.

        Raises:
            InputError: the other has another number of classes.
        """
        self.prediction_consistency.merge(other.prediction_consistency)
        self.warped.merge(other.warped)
        self.consistent.merge(other.consistent)
        self.valid_pixels += other.valid_pixels
        self.retained_pixels += other.retained_pixels

    def value(self) -> dict[str, float]:
        """All scores by the names of the table above, in [0, 1]; NaN where nothing was compared."""
        warped = self.warped
        if self.unified_video_da_compat:
            warped = SegmentationScore.from_confusion(warped.confusion.T)
        return {
            "PL-PredConsis-mIoU": self.prediction_consistency.miou(include_predicted=True),
            "PL-Warped-mIoU": warped.miou(include_predicted=True),
            "PL-Warped-Acc": warped.mean_accuracy(),
            "PL-Consistency-mIoU": self.consistent.miou(include_predicted=True),
            "PL-Consistency-Acc": self.consistent.mean_accuracy(),
            "retained": (
                self.retained_pixels / self.valid_pixels if self.valid_pixels else float("nan")
            ),
        }

    def _foreign(self, labels: torch.Tensor) -> torch.Tensor:
        return (labels < 0) | (labels >= self.num_classes)
