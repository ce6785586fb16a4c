"""Does what was warped look like what is there? A check that needs no labels."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


def colours_on_grid(frame: UInt8[Tensor, "3 H W"], size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """Mean colour of every cell of a grid over the frame, RGB in [0, 1]."""
    resized: Tensor = F.interpolate(frame.unsqueeze(0).float(), size=size, mode="area")
    return resized[0] / 255


def photometric_consistency(
    warped: Float[Tensor, "3 h w"],
    seen: Float[Tensor, "3 h w"],
    valid: Bool[Tensor, "h w"],
    *,
    tolerance: float,
) -> Float[Tensor, "h w"]:
    r"""How far to trust what was warped to a cell, by how well its colour fits.

    .. math:: w(x) = \exp\left(-\left(\frac{e(x)}{tolerance}\right)^2\right), \qquad
              e(x) = \frac{1}{3} \sum_k \left|\overline{I'_k - I_k}(x)\right|

    with the mean, over those of the 3 x 3 cells around `x` that have a source, taken before the
    absolute value, so that noise cancels out. At a cut, behind an object that passed, or where the
    propagator lost its way, colours do not fit and the past is forgotten.

    Args:
        warped: `I'`, RGB in [0, 1] of the frame before, warped to this one.
        seen: `I`, RGB in [0, 1] of this frame.
        valid: where the propagator has a source at all.
        tolerance: the error at which trust has fallen to 1/e, above 0.

    Returns:
        `(h, w)` in [0, 1], 0 where there is no source.
    """
    # The last map counts the cells with a source: neither the others nor those outside of the grid
    # count as cells without error.
    summed = torch.cat([(warped - seen) * valid, valid.to(seen).unsqueeze(0)])
    total = F.avg_pool2d(summed.unsqueeze(0), 3, stride=1, padding=1)[0]
    mean = total[:3] / total[3].clamp(min=1e-6)
    return torch.exp(-((mean.abs().mean(dim=0) / tolerance) ** 2)) * valid


def photometric_consistency_at_rest(
    one: UInt8[Tensor, "3 H W"], other: UInt8[Tensor, "3 H W"], *, tolerance: float
) -> Float[Tensor, ""]:
    """Mean photometric consistency of two frames if nothing moved, on at most 64 x 64 cells."""
    size = (min(one.shape[1], 64), min(one.shape[2], 64))
    first, second = colours_on_grid(one, size), colours_on_grid(other.to(one.device), size)
    everywhere = torch.ones(size, dtype=torch.bool, device=one.device)
    return photometric_consistency(first, second, everywhere, tolerance=tolerance).mean()
