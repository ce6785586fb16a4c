"""Which class a tracked object has: the soft vote of Eq. 4."""

import torch
from jaxtyping import Bool, Float, Int64, Integer
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError


def class_scores(
    masks: Bool[Tensor, "T N H W"],
    labels: Integer[Tensor, "T H W"],
    reliability: Float[Tensor, "T H W"],
    num_classes: int,
    *,
    area_weight: float = 0.3,
    rarity_weight: float = 0.8,
) -> Float[Tensor, "N C"]:
    r"""Score every class for every spatio-temporal mask.

    .. math:: s(o, c) = rel(o, c) \cdot area(o, c)^{\lambda_{area}}
              \cdot rare(c)^{\lambda_{freq}}

    * `rel(o, c)`: mean reliability over the pixels of mask `o` that have label `c`;
    * `area(o, c)`: share of those pixels in the mask;
    * `rare(c)`: one minus the share of label `c` in all frames.

    Args:
        masks: `(T, N, H, W)` bool, object `o` in frame `t`.
        labels: `(T, H, W)` integers in `[0, C)`, the image model's labels.
        reliability: `(T, H, W)` in [0, 1].
        num_classes: `C`.
        area_weight: `lambda_area >= 0`.
        rarity_weight: `lambda_freq >= 0`; with 0 rarity plays no part.

    Returns:
        `(N, C)` float64 in [0, 1]. A class that does not occur in a mask scores 0; so does, with
        `rarity_weight > 0`, a class that fills every frame.

    Raises:
        ShapeError: the three do not share `T, H, W`.
        InputError: a label outside `[0, C)`, or a negative weight.

    Source: paper, Eq. 4.
    """
    if masks.ndim != 4 or (masks.shape[0], *masks.shape[2:]) != tuple(labels.shape):
        raise ShapeError(
            f"masks has shape {tuple(masks.shape)} and labels {tuple(labels.shape)}; expected "
            "(T, N, H, W) and (T, H, W)."
        )
    if labels.shape != reliability.shape:
        raise ShapeError(
            f"labels has shape {tuple(labels.shape)} and reliability "
            f"{tuple(reliability.shape)}; expected the same (T, H, W)."
        )
    vote = ClassVote(num_classes)
    ids = torch.arange(masks.shape[1], device="cpu")
    for t in range(masks.shape[0]):
        vote.add(ids, masks[t], labels[t], reliability[t])
    scores = vote.scores(area_weight=area_weight, rarity_weight=rarity_weight)
    empty = torch.zeros(num_classes, dtype=torch.float64, device="cpu")
    rows = [scores.get(o, empty) for o in ids.tolist()]
    return torch.stack([*rows, empty])[:-1]


class ClassVote:
    """`class_scores` one frame at a time, so that only one frame's masks are in memory."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._pixels_of_class = torch.zeros(num_classes, dtype=torch.float64, device="cpu")
        self._pixels: dict[int, Tensor] = {}
        self._reliability: dict[int, Tensor] = {}

    def add(
        self,
        object_ids: Int64[Tensor, " N"],
        masks: Bool[Tensor, "N H W"],
        labels: Integer[Tensor, "H W"],
        reliability: Float[Tensor, "H W"],
    ) -> None:
        """Count one frame. Every frame of the warm-up must be added, also one with no mask.

        Raises:
            InputError: a label outside `[0, C)`.
        """
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= self._num_classes:
            raise InputError(
                f"labels range from {low} to {high}; expected values in [0, {self._num_classes})."
            )
        labels, reliability = labels.long(), reliability.double()
        self._pixels_of_class += self._histogram(labels.flatten())
        for object_id, mask in zip(object_ids.tolist(), masks, strict=True):
            inside = labels[mask]
            if inside.numel() == 0:
                continue
            self._accumulate(self._pixels, object_id, self._histogram(inside))
            weights = self._histogram(inside, reliability[mask])
            self._accumulate(self._reliability, object_id, weights)

    def scores(self, *, area_weight: float, rarity_weight: float) -> dict[int, Tensor]:
        """Scores `(C,)` float64 of every object that was seen in at least one pixel.

        Raises:
            InputError: a negative weight.
        """
        if not (area_weight >= 0 and rarity_weight >= 0):
            raise InputError(
                f"area_weight is {area_weight} and rarity_weight {rarity_weight}; expected "
                "numbers of at least 0."
            )
        rarity = 1 - self._pixels_of_class / self._pixels_of_class.sum().clamp(min=1)
        result: dict[int, Tensor] = {}
        for object_id, pixels in self._pixels.items():
            mean_reliability = self._reliability[object_id] / pixels.clamp(min=1)
            area = pixels / pixels.sum()
            result[object_id] = mean_reliability * area**area_weight * rarity**rarity_weight
        return result

    def _histogram(self, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        counts = torch.bincount(labels, weights=weights, minlength=self._num_classes)
        return counts.double().cpu()

    @staticmethod
    def _accumulate(table: dict[int, Tensor], object_id: int, counts: Tensor) -> None:
        table[object_id] = table[object_id] + counts if object_id in table else counts
