"""Votes of one frame, brought to its neighbour."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.photometric import colours_on_grid, photometric_consistency
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper


def warp_votes(
    session: DenseWarper,
    votes: Float[Tensor, "C h w"],
    frames: tuple[UInt8[Tensor, "3 H W"], UInt8[Tensor, "3 H W"]],
    steps: tuple[int, int],
    *,
    decay: float,
    tolerance: float,
) -> tuple[Float[Tensor, "C h w"], float]:
    r"""Votes of one frame as they count in its neighbour, and the mean trust in them.

    .. math:: V' = g\, w\, warp_maps(V)

    with the photometric consistency `w` of the same path, see `photometric_consistency`.

    Args:
        session: warps maps.
        votes: `V`, on any grid over the frame.
        frames: where the votes are, and where they go.
        steps: the indices of the two in the session.
        decay: `g` in [0, 1].
        tolerance: of the photometric consistency.

    Raises:
        PropagationError: the teacher raised, or what it returned does not fit.
    """
    height, width = votes.shape[1:]
    source, target = (colours_on_grid(f.to(votes.device), (height, width)) for f in frames)
    moved, valid = warp_maps(session, torch.cat([votes, source]), *steps)
    trust = photometric_consistency(moved[-3:], target, valid, tolerance=tolerance)
    return decay * trust * moved[:-3], float(trust.mean())
