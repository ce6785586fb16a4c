"""Connected regions of a binary image."""

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor


def connected_region(mask: Bool[Tensor, "H W"], x: int, y: int) -> Bool[Tensor, "H W"]:
    """The 8-connected region of `mask` that contains pixel `(x, y)`.

    Rows are split into runs of set pixels, and runs that touch are joined outwards from the seed,
    so the cost is that of the region's runs, not of its pixels.

    Args:
        mask: `(H, W)` bool.
        x: column of the seed.
        y: row of the seed.

    Returns:
        `(H, W)` bool on the device of `mask`; empty if the seed pixel is not set.
    """
    image = mask.cpu().numpy()
    region = np.zeros_like(image)
    if image[y, x]:
        # +1 where a run begins and -1 one past its end, in row-major order.
        edges = np.diff(np.pad(image.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        rows, starts = np.nonzero(edges == 1)
        ends = np.nonzero(edges == -1)[1]
        first_of_row = np.searchsorted(rows, np.arange(image.shape[0] + 1))
        seen = np.zeros(len(rows), dtype=bool)
        lo, hi = first_of_row[y], first_of_row[y + 1]
        seed = int(lo + np.searchsorted(starts[lo:hi], x, side="right") - 1)
        seen[seed] = True
        stack = [seed]
        while stack:
            run = stack.pop()
            row, start, end = rows[run], starts[run], ends[run]
            region[row, start:end] = True
            for near in (row - 1, row + 1):
                if 0 <= near < image.shape[0]:
                    lo, hi = first_of_row[near], first_of_row[near + 1]
                    # Touching, diagonals included: starts <= end and ends >= start.
                    left = int(lo + np.searchsorted(ends[lo:hi], start, side="left"))
                    right = int(lo + np.searchsorted(starts[lo:hi], end, side="right"))
                    fresh = [other for other in range(left, right) if not seen[other]]
                    seen[fresh] = True
                    stack.extend(fresh)
    return torch.from_numpy(region).to(mask.device)
