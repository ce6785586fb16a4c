"""Coarse maps brought to a picture's own edges."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def guided_upsampling(
    maps: Float[Tensor, "K h w"],
    guide: Float[Tensor, "3 H W"],
    *,
    radius: int,
    size: tuple[int, int],
    epsilon: float = 1e-4,
) -> Float[Tensor, "K H W"]:
    r"""Maps at the size of a picture, with edges where it has them: the fast guided filter.

    .. math:: q_i = \bar a_i^T I_i + \bar b_i, \qquad
        a_k = (\Sigma_k + \epsilon)^{-1} \mathrm{cov}_k(I, p), \qquad
        b_k = \bar p_k - a_k^T \bar I_k

    with means, covariances and `\Sigma_k`, the covariance of the three colours, over square windows
    around `k`, on a grid in between; `a` and `b` are averaged over windows once more, and resized
    bilinearly. Within a window a map is a linear function of the colours. A constant stays what it
    is, and what sums to one still does; values may leave the range of `p`.

    Args:
        maps: `p`, at least one, on any grid over the whole picture.
        guide: `I`, RGB in [0, 1].
        radius: of the windows, 1 or more, in cells of the grid in between.
        size: `(h, w)` of that grid.
        epsilon: variance of a colour under which an edge is none.

    Source: He, Sun and Tang, "Guided Image Filtering", TPAMI 2013, Eq. 11 to 15; He and Sun, "Fast
    Guided Filter", 2015.
    """
    colours = F.interpolate(guide[None], size, mode="bilinear", antialias=True)[0]
    coarse = F.interpolate(maps[None], size, mode="bilinear")[0]
    centre, mean = _mean(colours, radius), _mean(coarse, radius)
    pairs = _mean((colours[:, None] * colours[None]).flatten(0, 1), radius).reshape(3, 3, *size)
    spread = pairs - centre[:, None] * centre[None]
    shared = _mean((colours[:, None] * coarse[None]).flatten(0, 1), radius)
    shared = shared.reshape(3, -1, *size) - centre[:, None] * mean[None]
    ridge = epsilon * torch.eye(3, dtype=guide.dtype, device=guide.device)
    # By pixel (3, 3) and (3, K).
    slope = torch.linalg.solve(spread.permute(2, 3, 0, 1) + ridge, shared.permute(2, 3, 0, 1))
    slope = slope.permute(2, 3, 0, 1)
    offset = mean - (slope * centre[:, None]).sum(dim=0)
    smooth = _mean(torch.cat([slope.flatten(0, 1), offset]), radius)
    fine = F.interpolate(smooth[None], guide.shape[1:], mode="bilinear")[0]
    height, width = guide.shape[1:]
    slope = fine[: -len(maps)].reshape(3, -1, height, width)
    return (slope * guide[:, None]).sum(dim=0) + fine[-len(maps) :]


def _mean(maps: Float[Tensor, "D h w"], radius: int) -> Float[Tensor, "D h w"]:
    """Over the part of a square window that lies on the map."""
    side = 2 * radius + 1
    mean: Tensor = F.avg_pool2d(maps[None], side, 1, radius, count_include_pad=False)[0]
    return mean
