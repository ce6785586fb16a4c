"""Do two frames show the same colours, wherever these are?"""

import torch
from jaxtyping import Float
from torch import Tensor

_LEVELS = 8


def shared_colours(one: Float[Tensor, "3 h w"], other: Float[Tensor, "3 h w"]) -> Float[Tensor, ""]:
    r"""Share of the cells of two frames that have a colour in common.

    .. math:: \sum_b \min(p_b, p'_b)

    over histograms `p` with 8 levels of each channel. Whatever moves keeps its colours, so this
    stays high where nothing could be matched, as in a fast pan, and falls in another scene.

    Args:
        one: RGB in [0, 1] on any grid.
        other: likewise, on the same grid.

    Returns:
        In [0, 1], on the device of the colours.

    Source: Swain and Ballard, "Color indexing", IJCV 1991 (histogram intersection).
    """
    shared = torch.minimum(_histogram(one), _histogram(other)).sum()
    return shared / (one.shape[1] * one.shape[2])


def _histogram(colours: Tensor) -> Float[Tensor, " bins"]:
    red, green, blue = (colours * _LEVELS).long().clamp(0, _LEVELS - 1)
    bins = ((red * _LEVELS + green) * _LEVELS + blue).flatten()
    # Unlike `bincount` this needs no answer of the device. Counts are exact.
    zeros = torch.zeros(_LEVELS**3, device=colours.device)
    return zeros.scatter_add_(0, bins, torch.ones_like(bins, dtype=zeros.dtype))
