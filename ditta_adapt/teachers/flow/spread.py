"""Flow that is taken over from neighbours, where it fits better."""

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.teachers.flow.pyramid import Sampler, neighbours, window_means

_REACH, _COMPARED = 3, 5
# The pixel itself comes first, so that it keeps its own where none is better.
_STEPS = tuple((dx, dy) for dx in (0, -_REACH, _REACH) for dy in (0, -_REACH, _REACH))


def spread(
    image: Float[Tensor, "B 1 h w"],
    other: Float[Tensor, "B 1 h w"],
    flow: Float[Tensor, "B 2 h w"],
    look_up: Sampler,
) -> Float[Tensor, "B 2 h w"]:
    r"""Of the flows three pixels around, and its own, each pixel takes what fits it best.

    .. math:: f(x) \leftarrow f(x + \hat n), \qquad \hat n = \arg\min_n
              \overline{|other(y + f(y + n)) - image(y)|}

    with the mean over the 5 x 5 pixels `y` around `x`, of differences less their own mean, over
    nine neighbours `n`. So the pixels at the edge of an object go with the side they belong to.

    Args:
        image: grey levels.
        other: the same at another time.
        flow: from the image to the other.
        look_up: for their size.
    """
    candidates = torch.stack(neighbours(flow, _STEPS))
    count, batch, _, height, width = candidates.shape
    its = other.expand(count, batch, 1, height, width).reshape(-1, 1, height, width)
    left = look_up(its, candidates.flatten(0, 1)) - image.repeat(count, 1, 1, 1)
    misfit = window_means((left - window_means(left, _COMPARED)).abs(), _COMPARED)
    best = misfit.view(count, batch, 1, height, width).argmin(dim=0, keepdim=True)
    taken: Tensor = candidates.gather(0, best.expand(1, batch, 2, height, width))[0]
    return taken
