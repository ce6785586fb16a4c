"""Flow that is smooth where little is seen."""

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.teachers.flow.pyramid import Sampler, Symmetric, derivatives, neighbours

_ROUNDS, _SMOOTHNESS = 8, 5.0
_NOISE, _EDGE = 1.0, 0.1
_FOUR = ((1, 0), (-1, 0), (0, 1), (0, -1))


def regularised(
    image: Float[Tensor, "B 1 h w"],
    other: Float[Tensor, "B 1 h w"],
    flow: Float[Tensor, "B 2 h w"],
    gradient: Float[Tensor, "B 2 h w"],
    look_up: Sampler,
) -> Float[Tensor, "B 2 h w"]:
    r"""The flow after some steps towards the minimum of a robust energy.

    .. math:: E(f) = \int \sqrt{d_f(x)^2 + 1}
                   + 5 \sqrt{|\nabla f(x)|^2 + 0.01}\; dx, \qquad
              d_f(x) = other(x + f(x)) - image(x)

    Brox et al., ECCV 2004: the weights of both terms are held fixed, the difference is linearised,
    and the linear system is relaxed (Jacobi).

    Args:
        image: grey levels in [0, 255].
        other: the same at another time.
        flow: from the image to the other.
        gradient: of the image.
        look_up: for their size.
    """
    moved = look_up(other, flow)
    left, slope = moved - image, (gradient + derivatives(moved)) / 2
    weight = torch.rsqrt(left**2 + _NOISE**2)
    steep = (derivatives(flow) ** 2).sum(dim=1, keepdim=True)
    even = _SMOOTHNESS / 2 * torch.rsqrt(steep + _EDGE**2)
    pulls = [even + beside for beside in neighbours(even, _FOUR)]
    weighted = weight * slope
    data = Symmetric(weighted * slope, weighted[:, :1] * slope[:, 1:])
    wanted = torch.addcmul(data @ flow, weighted, left, value=-1)
    pulled = pulls[0] + pulls[1] + pulls[2] + pulls[3]
    solve = Symmetric(data.diagonal + pulled, data.other).inverse()
    for _ in range(_ROUNDS):
        right = wanted
        for pull, beside in zip(pulls, neighbours(flow, _FOUR), strict=True):
            right = torch.addcmul(right, pull, beside)
        flow = solve @ right
    return flow
