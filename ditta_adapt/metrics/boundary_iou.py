"""mBIoU: how well predictions and targets agree along the borders of the target's regions."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.nn.functional import max_pool2d

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics.labels import Labels, label_pair
from ditta_adapt.metrics.segmentation import SegmentationScore

KERNEL = 5


class BoundaryIoU:
    r"""Mean over images of the IoU inside a band `B` along the target's borders.

    .. math:: BIoU = \frac{a}{2 |B| - a}, \qquad a = |\{x \in B : O(x) = M(x)\}|, \qquad
              B = \bigcup_c M_c \setminus (M_c \ominus K)

    for a prediction `O` and a target `M`, with `M_c` the pixels of class `c` and `K` a square of
    5 x 5 pixels: `B` are the pixels within two of another label. What lies past the edge of the
    image counts as inside, so the edge is no border. Pixels whose target lies outside `[0, C)`
    are not part of `B`, but next to them is a border. Images with an empty `B` are left out.

    This is not the "Boundary IoU" of Cheng et al. (2021), which also takes the prediction's own
    band.

    Attribute `scores` has one number per image that was not left out; put back with
    `add_scores`, they pool to the same value.

    Args:
        num_classes: `C`.
        per_class: the mean over the classes of the target in `B` of `|M_c ∩ O_c| / |M_c ∪ O_c|`
            within `B`, in place of the agreement of whole label maps.
        literal: the published formula to the letter, whose `B` is the union of the eroded
            classes: their *insides*, not their borders.

    Source: "Evaluating SAM2 for Video Semantic Segmentation", whose program is not public. What
    the text leaves open (the kernel's shape, one ratio for all classes or one for each, the edge)
    is decided here as above, so numbers need not equal the published ones.
    """

    def __init__(self, num_classes: int, *, per_class: bool = False, literal: bool = False) -> None:
        if num_classes < 1:
            raise InputError(f"num_classes is {num_classes}; expected at least 1.")
        self.num_classes = num_classes
        self.per_class = per_class
        self.literal = literal
        self.scores: list[float] = []

    def update(self, pred: Labels, target: Labels) -> None:
        """Add images: integer label maps of the same shape, `(H, W)` or `(B, H, W)`.

        Raises:
            ShapeError: the shapes differ, or are neither of the two.
            InputError: a prediction outside `[0, C)` in the band. Nothing is added.
        """
        predictions, truths = label_pair(pred, target)
        if predictions.ndim not in (2, 3):
            raise ShapeError(
                f"pred has shape {tuple(predictions.shape)}; expected (H, W) or (B, H, W)."
            )
        if predictions.ndim == 2:
            predictions, truths = predictions[None], truths[None]
        scores = [
            self._score(prediction, truth)
            for prediction, truth in zip(predictions, truths, strict=True)
        ]
        self.scores += [score for score in scores if not math.isnan(score)]

    def add_scores(self, scores: Iterable[float]) -> None:
        """Add images by their stored scores.

        Raises:
            InputError: a score outside [0, 1].
        """
        images = [float(score) for score in scores]
        for score in images:
            if not 0 <= score <= 1:
                raise InputError(f"an image's score is {score}; expected one in [0, 1].")
        self.scores += images

    def value(self) -> float:
        """mBIoU in [0, 1]; NaN if no image was added that has a band."""
        return math.fsum(self.scores) / len(self.scores) if self.scores else math.nan

    def _score(self, prediction: Tensor, truth: Tensor) -> float:
        known = (truth >= 0) & (truth < self.num_classes)
        inside = eroded(torch.where(known, truth, -1))
        band = known & (inside if self.literal else ~inside)
        score = SegmentationScore(self.num_classes)
        score.update(prediction, torch.where(band, truth, -1))
        if self.per_class:
            return score.miou()
        size, agreeing = torch.stack(
            [score.confusion.sum(), score.confusion.diagonal().sum()]
        ).tolist()
        return agreeing / (2 * size - agreeing) if size else math.nan


def eroded(labels: Int64[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Where all pixels of the 5 x 5 square around a pixel that lie in the image have its label.

    Args:
        labels: `(H, W)`, of magnitude under 2^24.

    Returns:
        `(H, W)` bool: the union over all labels of each one's region eroded by the square.
    """
    # Pooling pads with -inf, so pixels past the edge never decide.
    image = labels[None, None].float()
    highest = max_pool2d(image, KERNEL, stride=1, padding=KERNEL // 2)
    lowest = -max_pool2d(-image, KERNEL, stride=1, padding=KERNEL // 2)
    return (highest == lowest)[0, 0]
