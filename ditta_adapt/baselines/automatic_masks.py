"""Which of the masks that a propagator finds by itself are kept."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.baselines.arguments import check_number
from ditta_adapt.teachers.propagator import AutoMasks

_BOX_IOU = 0.7
"""Of two masks whose boxes share more, one is kept."""


@dataclass(frozen=True, slots=True)
class MaskThresholds:
    """What a mask must reach.

    Attributes:
        predicted_iou: what the propagator expects of it, in [0, 1].
        stability: see `stability_scores`, in [0, 1].
        offset: `d` there, at least 0.

    Raises:
        InputError: one is out of its range.

    Source: "Evaluating SAM2 for video semantic segmentation", whose numbers are the defaults.
    """

    predicted_iou: float = 0.6
    stability: float = 0.8
    offset: float = 0.9

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("predicted_iou", self.predicted_iou, 0, 1)
        check_number("stability", self.stability, 0, 1)
        check_number("offset", self.offset, 0)


def stability_scores(logits: Float[Tensor, "N h w"], offset: float) -> Float[Tensor, " N"]:
    r"""How little a mask depends on where it is cut: `|{z > d}| / |{z > -d}|`; 0 if that is empty.

    Args:
        logits: `z`, of which a mask is where they are above 0.
        offset: `d`.

    Source: Kirillov et al., "Segment Anything", ICCV 2023.
    """
    inner, outer = ((logits > cut).flatten(1).sum(dim=1) for cut in (offset, -offset))
    return inner.float() / outer.float().clamp(min=1)


def kept_masks(
    found: AutoMasks, size: tuple[int, int], thresholds: MaskThresholds
) -> Bool[Tensor, "M H W"]:
    """Masks at frame size that reach all thresholds, each of which is not nearly another's.

    Of two whose bounding boxes have an IoU above 0.7, that of the higher predicted IoU is kept, as
    the automatic masks of SAM2's own package do. Sorted by predicted IoU, the highest first.

    Args:
        found: by a propagator, see `MaskGenerator`.
        size: `(H, W)` of the frame.
        thresholds: to be reached.
    """
    good = (found.predicted_iou >= thresholds.predicted_iou) & (
        stability_scores(found.logits, thresholds.offset) >= thresholds.stability
    )
    order = found.predicted_iou[good].argsort(descending=True, stable=True)
    kept: list[Tensor] = []
    boxes: list[Tensor] = []
    for logits in found.logits[good][order]:
        # One by one: all of them at the frame's size, in float, may not fit.
        mask = F.interpolate(logits[None, None].float(), size, mode="bilinear")[0, 0] > 0
        if not bool(mask.any()):
            continue
        box = _box(mask)
        if all(_box_iou(box, other) <= _BOX_IOU for other in boxes):
            kept.append(mask.cpu())
            boxes.append(box)
    nothing = torch.zeros(0, *size, dtype=torch.bool, device="cpu")
    return torch.stack(kept) if kept else nothing


def _box(mask: Bool[Tensor, "H W"]) -> Tensor:
    """Top, left, and behind the bottom and the right."""
    rows, columns = mask.any(dim=1).nonzero()[:, 0], mask.any(dim=0).nonzero()[:, 0]
    ends = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    return torch.stack(ends).cpu().float()


def _box_iou(one: Tensor, other: Tensor) -> float:
    height, width = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(
        min=0
    )
    shared = float(height * width)
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return shared / (sum(areas) - shared)
