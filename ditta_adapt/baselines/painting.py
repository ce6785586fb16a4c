"""Labels from masks: which class a mask votes for, and painting classes over a label map."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Int64, Integer
from torch import Tensor

Overlap = Literal["smallest", "largest"]
"""Which of overlapping masks is on top."""


def class_votes(
    masks: Bool[Tensor, "N H W"], labels: Integer[Tensor, "H W"], num_classes: int
) -> Int64[Tensor, "N C"]:
    r"""How many pixels of each class every mask holds.

    .. math:: v_{ic} = \sum_{x \in m_i} [S(x) = c]

    Args:
        masks: `(N, H, W)` bool.
        labels: `S`, `(H, W)` integers; what is no class, such as 255 for ignored, has no vote.
        num_classes: `C`.

    Returns:
        `(N, C)` int64 on the device of `labels`.

    Source: "Evaluating SAM2 for video semantic segmentation", Eq. 1.
    """
    valid = (labels >= 0) & (labels < num_classes)
    # One more bin for pixels without a vote.
    chosen = torch.where(valid, labels, num_classes).long()
    votes = [torch.bincount(chosen[mask], minlength=num_classes + 1) for mask in masks]
    return torch.stack([chosen.new_zeros(num_classes + 1), *votes])[1:, :num_classes]


def paint(
    labels: Int64[Tensor, "H W"], masks: Bool[Tensor, "N H W"], classes: Sequence[int]
) -> Int64[Tensor, "H W"]:
    """Write a class inside every mask, one after the other: the last one wins. `labels` stays.

    Args:
        labels: `(H, W)`, what stands where there is no mask.
        masks: `(N, H, W)` bool, on the device of `labels`.
        classes: one a mask.
    """
    painted = labels.clone()
    for mask, label in zip(masks, classes, strict=True):
        painted[mask] = label
    return painted


def paint_by_area(
    labels: Int64[Tensor, "H W"],
    masks: Bool[Tensor, "N H W"],
    classes: Sequence[int],
    *,
    on_top: Overlap = "smallest",
) -> Int64[Tensor, "H W"]:
    """As `paint`, in such an order that the smallest of overlapping masks wins, or the largest."""
    areas = masks.flatten(1).sum(dim=1)
    order = areas.argsort(descending=on_top == "smallest", stable=True)
    return paint(labels, masks[order], [classes[index] for index in order.tolist()])


def distinct_masks(masks: Bool[Tensor, "N H W"], *, max_iou: float = 0.7) -> list[int]:
    """Which masks to keep so that none is empty, nor two nearly the same.

    Masks are visited from the largest to the smallest (of equal areas, in order); one is kept
    unless its intersection over union with one kept before is over `max_iou`. So of near
    duplicates the largest stays.

    Args:
        masks: `(N, H, W)` bool.
        max_iou: in [0, 1].

    Returns:
        Indices, in increasing order.
    """
    flat = masks.flatten(1)
    areas = flat.sum(dim=1).tolist()
    shared = torch.zeros(len(masks), len(masks), dtype=torch.float64, device=masks.device)
    # A slice at a time, since numbers take four times the memory of a mask.
    for part in torch.split(flat, 65536, dim=1):
        numbers = part.float()
        shared += numbers @ numbers.T
    overlap = shared.tolist()
    kept: list[int] = []
    for i in sorted(range(len(areas)), key=lambda index: -areas[index]):
        duplicate = any(
            overlap[i][j] > max_iou * (areas[i] + areas[j] - overlap[i][j]) for j in kept
        )
        if areas[i] and not duplicate:
            kept.append(i)
    return sorted(kept)
