"""Does a propagator that warps maps see how the video moves? A check that needs no labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.io.frames import frame_size
from ditta_adapt.ops.photometric import colours_on_grid, photometric_consistency
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper

_PAIRS, _GRID = 8, 128


@dataclass(frozen=True, slots=True)
class WarpCheck:
    """How well colours fit, mean photometric consistency over some pairs of frames.

    Attributes:
        warped: as the propagator warps them.
        at_rest: as if nothing moved.
    """

    warped: float
    at_rest: float

    def good(self, margin: float) -> bool:
        """Whether warping is no worse than standing still, but for a margin."""
        return self.warped >= self.at_rest - margin


def check_warp(
    session: DenseWarper,
    frames: Sequence[UInt8[Tensor, "3 H W"]],
    *,
    tolerance: float,
    device: torch.device | None = None,
) -> WarpCheck:
    """Warp the colours of up to eight frames, spread over the video, to the next one.

    They are warped on a grid of at most 128 cells a side, whatever the model's: on a very coarse
    one colours say little.

    Args:
        session: of the propagator on these frames.
        frames: with a single one there is nothing to warp, and both means are 1.
        tolerance: see `photometric_consistency`.
        device: where maps will be warped; that of the frames if not given.

    Raises:
        PropagationError: the propagator raised, or what it returned does not fit.
    """
    last = len(frames) - 1
    starts = sorted(
        {round(k * (last - 1) / max(_PAIRS - 1, 1)) for k in range(_PAIRS)} & set(range(last))
    )
    if not starts:
        return WarpCheck(1.0, 1.0)
    height, width = frame_size(frames[0])
    scale = min(1.0, _GRID / max(height, width))
    grid = (max(round(height * scale), 1), max(round(width * scale), 1))
    place = device or frames[0].device
    everywhere = torch.ones(grid, dtype=torch.bool, device=place)
    warped = at_rest = 0.0
    for t in starts:
        before, after = (colours_on_grid(frames[s].to(place), grid) for s in (t, t + 1))
        moved, valid = (x.to(place) for x in warp_maps(session, before, t, t + 1))
        fit = photometric_consistency(moved, after, valid, tolerance=tolerance)
        still = photometric_consistency(before, after, everywhere, tolerance=tolerance)
        warped, at_rest = warped + float(fit.mean()), at_rest + float(still.mean())
    return WarpCheck(warped / len(starts), at_rest / len(starts))
