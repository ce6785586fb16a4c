"""Confusion matrices as results keep them: of the cells only those that are not 0."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor


def to_cells(confusion: Int64[Tensor, "C C"]) -> list[list[int]]:
    """Target, prediction and pixels of every cell that is not 0."""
    found = confusion.nonzero()
    counts = confusion[found[:, 0], found[:, 1]]
    cells: list[list[int]] = torch.cat([found, counts[:, None]], 1).tolist()
    return cells


def from_cells(cells: Sequence[Sequence[int]], size: int) -> Int64[Tensor, "C C"]:
    """Inverse of `to_cells`.

    Args:
        cells: of that function.
        size: `C`.

    Raises:
        ValueError, IndexError: a cell that is no three numbers, or outside of the matrix.
    """
    confusion = torch.zeros(size, size, dtype=torch.int64, device="cpu")
    for target, prediction, count in cells:
        confusion[target, prediction] = count
    return confusion


def summed(confusions: Sequence[Int64[Tensor, "..."]]) -> Int64[Tensor, "C C"]:
    """Sum of square matrices, at least one; some may have more classes than others."""
    size = max(len(confusion) for confusion in confusions)
    total = torch.zeros(size, size, dtype=torch.int64, device="cpu")
    for confusion in confusions:
        own = len(confusion)
        total[:own, :own] += confusion.cpu()
    return total
