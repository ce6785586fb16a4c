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


class FlickerMap:
    """Counts changes of labels between neighbouring frames, motion taken out.

    Flow says where each pixel was one frame earlier; its label changed if it is not the label
    there. Pixels that the flow finds nowhere in the frame before, and what leaves the frame, are
    not counted.

    Args:
        propagator: warps maps, such as `"flow"`.

    Attributes:
        compared: `(h, w)` int64, how often each cell could be compared; none before a first pair.
        changed: `(N, h, w)` int64, how often its label changed, for each of `N` ways to label.
    """

    def __init__(self, propagator: Propagator) -> None:
        self._propagator = propagator
        self.compared: Integer[np.ndarray, "h w"] | None = None
        self.changed: Integer[np.ndarray, "N h w"] | None = None

    def add(
        self,
        frames: tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]],
        labellings: list[tuple[Integer[np.ndarray, "H W"], Integer[np.ndarray, "H W"]]],
    ) -> None:
        """Compare one more pair of neighbouring frames.

        Args:
            frames: the earlier one first.
            labellings: for each way to label, labels of both.

        Raises:
            PropagationError: the propagator raised, or cannot warp.
        """
        rows, columns = _grid(frames[0].shape[:2])
        known, source = self._sources(frames, (len(rows), len(columns)))
        changed = []
        for before, after in labellings:
            coarse = before[rows][:, columns], after[rows][:, columns]
            changed.append((coarse[0][source[0], source[1]] != coarse[1]) & known)
        if self.compared is None or self.changed is None:
            self.compared = np.zeros(known.shape, np.int64)
            self.changed = np.zeros((len(labellings), *known.shape), np.int64)
        self.compared += known
        self.changed += np.stack(changed)

    def _sources(
        self, frames: tuple[np.ndarray, np.ndarray], size: tuple[int, int]
    ) -> tuple[Bool[np.ndarray, "h w"], Integer[np.ndarray, "2 h w"]]:
        """Which cells of the later frame were in the earlier one, and where."""
        height, width = size
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        with open_warper(self._propagator, frames) as session:
            places, valid = warp_maps(session, torch.stack([y, x]).float(), 0, 1)
        limits = Tensor([height - 1, width - 1]).view(2, 1, 1)
        nearest = places.cpu().round().clamp(min=0).minimum(limits).long()
        return valid.cpu().numpy(), nearest.numpy()


def _grid(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels at which labels are compared."""
    step = math.ceil(max(size) / MOST_SIDE)
    return np.arange(step // 2, size[0], step), np.arange(step // 2, size[1], step)
