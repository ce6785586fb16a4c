"""Contours of masks, and what lies near them."""

import math

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import pad


def contours(masks: Bool[Tensor, "*N H W"]) -> Bool[Tensor, "*N H W"]:
    """One pixel wide contours: pixels that differ from their right, lower or lower right neighbour.

    In the last row only the right neighbour counts and in the last column only the lower one; the
    last corner is never on a contour. So a mask of all pixels has none.

    Source: the DAVIS-2017 evaluator.
    """
    result = torch.zeros_like(masks)
    result[..., :, :-1] = masks[..., :, :-1] ^ masks[..., :, 1:]
    result[..., :-1, :] |= masks[..., :-1, :] ^ masks[..., 1:, :]
    result[..., :-1, :-1] |= masks[..., :-1, :-1] ^ masks[..., 1:, 1:]
    return result


def dilated(masks: Bool[Tensor, "*N H W"], radius: int) -> Bool[Tensor, "*N H W"]:
    """All pixels within a Euclidean distance of a set pixel: dilation by a disk.

    Each row of the disk is a run of pixels, and whether a run holds a set pixel can be read from
    a running count along the row; the cost grows with the radius, not with its square.

    Args:
        masks: `(..., H, W)` bool.
        radius: in pixels, at least 0; the disk is `dx^2 + dy^2 <= radius^2`.
    """
    height, width = masks.shape[-2:]
    count = pad(masks.int(), (radius + 1, radius)).cumsum(dim=-1, dtype=torch.int32)
    result = torch.zeros_like(masks)
    for dy in range(min(radius, height - 1) + 1):
        reach = math.isqrt(radius**2 - dy**2)
        start, end = radius - reach, radius + 1 + reach
        near = count[..., end : end + width] != count[..., start : start + width]
        result[..., dy:, :] |= near[..., : height - dy, :]
        result[..., : height - dy, :] |= near[..., dy:, :]
    return result
