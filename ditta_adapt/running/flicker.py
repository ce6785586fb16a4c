"""How often labels change from frame to frame although what they name does not move."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Integer, UInt8
from torch import Tensor

from ditta_adapt.teachers.checked_calls import open_warper, warp_maps
from ditta_adapt.teachers.propagator import Propagator

MOST_SIDE = 320
"""Of the grid that labels are compared on: the longer side has at most so many cells."""


def changed_labels(
    propagator: Propagator,
    frames: tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]],
    labellings: list[tuple[Integer[np.ndarray, "H W"], Integer[np.ndarray, "H W"]]],
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "N h w"]]:
    """Where the labels of two neighbouring frames differ, motion taken out.

    Flow says where each pixel was one frame earlier; its label changed if it is not the label
    there. Pixels that the flow finds nowhere in the frame before, and what leaves the frame, are
    not compared.

    Args:
        propagator: warps maps, such as that of the name `"flow"`.
        frames: the earlier one first.
        labellings: for each of `N` ways to label, labels of both.

    Returns:
        Which cells of a grid of at most `MOST_SIDE` could be compared, and for each way to label
        which of these changed.

    Raises:
        PropagationError: the propagator raised, or cannot warp.
    """
    rows, columns = _grid(frames[0].shape[:2])
    known, (y, x) = _sources(propagator, frames, (len(rows), len(columns)))
    changed = []
    for before, after in labellings:
        coarse = before[rows][:, columns], after[rows][:, columns]
        changed.append((coarse[0][y, x] != coarse[1]) & known)
    return known, np.stack(changed)


def _sources(
    propagator: Propagator, frames: tuple[np.ndarray, np.ndarray], size: tuple[int, int]
) -> tuple[Bool[np.ndarray, "h w"], Integer[np.ndarray, "2 h w"]]:
    """Which cells of the later frame were in the earlier one, and where."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    with open_warper(propagator, frames) as session:
        places, valid = warp_maps(session, torch.stack([y, x]).float(), 0, 1)
    limits = Tensor([height - 1, width - 1]).view(2, 1, 1)
    nearest = places.cpu().round().clamp(min=0).minimum(limits).long()
    return valid.cpu().numpy(), nearest.numpy()


def _grid(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels at which labels are compared."""
    step = math.ceil(max(size) / MOST_SIDE)
    return np.arange(step // 2, size[0], step), np.arange(step // 2, size[1], step)
