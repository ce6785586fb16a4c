"""Which cells of remembered frames look like those of a new one, and how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Tile: TypeAlias = tuple[slice, slice]
"""Rows and columns."""

_SIDE = 8
"""Of the tiles of the new frame that are matched at a time: bounds memory, and what is out of
reach of a tile is not even compared with it."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """The nearest remembered cells of every cell of a frame.

    Attributes:
        cells: `(N, k)` int64, into the `T * h * w` remembered ones; `N = h * w`.
        weights: `(N, k)` in [0, 1], which sum to 1 over `k`.
        size: `(h, w)`.
    """

    cells: Int64[Tensor, "N k"]
    weights: Float[Tensor, "N k"]
    size: tuple[int, int]

    def read(self, values: Float[Tensor, "T V h w"]) -> Float[Tensor, "V h w"]:
        """What is remembered at these cells, weighted: `v(x) = sum_k W(x, k) v(k)`."""
        flat = values.transpose(0, 1).flatten(1)
        return (flat[:, self.cells] * self.weights).sum(dim=2).view(-1, *self.size)

    def places(self) -> Float[Tensor, "2 h w"]:
        """Where on the grid a cell comes from, `(y, x)` in cells.

        The mean of its best match and of those matches that touch it: others are other places.
        """
        height, width = self.size
        inside = self.cells % (height * width)
        places = torch.stack([inside // width, inside % width])
        touches = ((places - places[..., :1]).abs() <= 1).all(dim=0)
        weights = self.weights * touches
        weights = weights / weights.sum(dim=1, keepdim=True)
        return (places * weights).sum(dim=2).view(2, *self.size)


def nearest(
    query: Float[Tensor, "D h w"],
    memory: Float[Tensor, "T D h w"],
    reach: Sequence[int],
    *,
    top_k: int | None,
    temperature: float | Float[Tensor, ""],
    nearness: float = 0.0,
) -> Affinity:
    r"""The remembered cells whose keys are nearest, and their weights.

    .. math:: S(x, y) = -\frac{|q(x) - k(y)|^2 + \lambda |x - y|^2 / L^2}{\theta}, \qquad
        W(x, \cdot) = softmax_{y \in top(x)} S(x, y)

    over those `y` that are within reach of `x`, `|x - y|_\infty \le r_t`; `top(x)` are the `top_k`
    most similar of them.

    Args:
        query: `q`, keys of the new frame.
        memory: `k`, keys of `T >= 1` remembered ones, on the same grid.
        reach: `r_t >= 0` for each of them, in cells.
        top_k: how many count; all within reach with none. Fewer where fewer are within reach.
        temperature: `theta > 0`.
        nearness: `lambda >= 0`; `L` is the longer side of the grid. Of places that look alike the
            nearest is the most likely.

    Source: Cheng et al., "Rethinking Space-Time Networks with Improved Memory Coverage" (STCN),
    NeurIPS 2021, negative squared distance; top-k: Cheng et al., MiVOS, CVPR 2021.
    """
    height, width = query.shape[1:]
    squares = memory.square().sum(dim=1)
    pull = nearness / max(height, width) ** 2
    tiles = []
    for top in range(0, height, _SIDE):
        for left in range(0, width, _SIDE):
            rows, columns = _span(top, 0, height), _span(left, 0, width)
            asked = query[:, rows, columns].flatten(1).T
            known, scores = [], []
            ways: dict[int, tuple[Tensor, Tensor]] = {}
            for t, radius in enumerate(reach):
                near = _span(top, radius, height), _span(left, radius, width)
                keys = memory[t, :, *near].flatten(1)
                # The square of the query is the same for all, so the softmax does without it.
                score = 2 * asked @ keys - squares[t, *near].flatten()
                if radius not in ways:
                    ways[radius] = _way((rows, columns), near, radius, query.device)
                far, away = ways[radius]
                # Masked last: what is endless has no gradient by the temperature.
                score = (score - pull * away.to(score)) / temperature
                scores.append(score.masked_fill(far, float("-inf")))
                known.append(t * height * width + _indices(near, width, query.device))
            similarity = torch.cat(scores, dim=1)
            count = similarity.shape[1] if top_k is None else min(top_k, similarity.shape[1])
            best, chosen = similarity.topk(count, dim=1)
            place = _indices((rows, columns), width, query.device)
            tiles.append((place, torch.cat(known)[chosen], best.softmax(dim=1)))
    return _joined(tiles, (height, width))


def _span(start: int, radius: int, end: int) -> slice:
    """One side of a tile, and what is within reach of it."""
    return slice(max(start - radius, 0), min(start + _SIDE + radius, end))


def _indices(tile: Tile, width: int, device: torch.device) -> Int64[Tensor, " n"]:
    """Of the cells of a tile in a frame."""
    rows, columns = (torch.arange(side.start, side.stop, device=device) for side in tile)
    return (rows[:, None] * width + columns).flatten()


def _way(
    tile: Tile, near: Tile, radius: int, device: torch.device
) -> tuple[Bool[Tensor, "n m"], Int64[Tensor, "n m"]]:
    """From each cell of a tile to each that is near: whether out of reach, and squared cells."""
    down, right = (
        torch.arange(there.start, there.stop, device=device)
        - torch.arange(here.start, here.stop, device=device)[:, None]
        for here, there in zip(tile, near, strict=True)
    )
    down, right = down[:, None, :, None], right[None, :, None, :]
    far = (down.abs() > radius) | (right.abs() > radius)
    away = down.square() + right.square()
    return far.flatten(0, 1).flatten(1), away.flatten(0, 1).flatten(1)


def _joined(tiles: list[tuple[Tensor, Tensor, Tensor]], size: tuple[int, int]) -> Affinity:
    """Of all tiles, in order; cells with fewer matches than others have some of weight 0."""
    most = max(cells.shape[1] for _, cells, _ in tiles)
    cells = torch.cat([F.pad(cells, (0, most - cells.shape[1])) for _, cells, _ in tiles])
    weights = torch.cat([F.pad(weights, (0, most - weights.shape[1])) for *_, weights in tiles])
    order = torch.cat([place for place, *_ in tiles]).argsort()
    return Affinity(cells[order], weights[order], size)
