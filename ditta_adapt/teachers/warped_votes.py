"""Votes of one frame, brought to its neighbour."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.ops.photometric import photometric_consistency

Warp: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From maps `(K, h, w)` on one frame to the same on its neighbour, and where they have a source."""


def warp_votes(
    warp: Warp,
    votes: Float[Tensor, "C h w"],
    source: Float[Tensor, "3 h w"],
    target: Float[Tensor, "3 h w"],
    *,
    decay: float,
    tolerance: float,
) -> tuple[Float[Tensor, "C h w"], Float[Tensor, ""]]:
    r"""Votes of one frame as they count in its neighbour, and how well colours fit there.

    .. math:: V' = g\, w\, warp(V)

    with the photometric consistency `w` of the same path, see `photometric_consistency`.

    Args:
        warp: from the source frame to the target frame.
        votes: `V`, on any grid over the frame.
        source: colours of the frame the votes are on, see `colours_on_grid`.
        target: of the neighbour they go to.
        decay: `g` in [0, 1].
        tolerance: of the photometric consistency.

    Returns:
        `V'`, and the mean of `w`, in [0, 1], on the device of the votes.

    Raises:
        PropagationError: the propagator raised, or what it returned does not fit.
    """
    warped, valid = warp(torch.cat([votes, source]))
    consistency = photometric_consistency(warped[-3:], target, valid, tolerance=tolerance)
    return decay * consistency * warped[:-3], consistency.mean()
