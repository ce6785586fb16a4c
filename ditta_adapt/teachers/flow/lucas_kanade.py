"""Optical flow in plain torch: least squares in windows, coarse to fine, then made smooth."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.captured import Captured
from ditta_adapt.teachers.flow.pyramid import (
    Sampler,
    Symmetric,
    derivatives,
    enlarged,
    pyramid,
    window_means,
)
from ditta_adapt.teachers.flow.regularised import regularised
from ditta_adapt.teachers.flow.spread import spread

_LEVELS, _LEAST_SIDE = 6, 4
_WINDOW, _STEPS, _LONGEST_STEP, _DAMPING = 5, 3, 2.0, 5.0


class LucasKanade:
    """Pyramidal Lucas-Kanade with a regularised flow; see `FlowEstimator`.

    Frames are grey, on half of the size that is asked for, so flow is found there. Both ways are
    one batch. No shape depends on values, so that on a GPU all of it is one graph.
    """

    def __init__(self) -> None:
        self._both_ways = Captured(_both_ways)

    def prepare(
        self, frame: UInt8[Tensor, "3 H W"], size: tuple[int, int]
    ) -> Float[Tensor, "1 1 h w"]:
        """Grey levels in [0, 255] (ITU-R BT.601), shrunk by area."""
        small = (max(size[0] // 2, 8), max(size[1] // 2, 8))
        red, green, blue = F.interpolate(frame[None].float(), small, mode="area").unbind(dim=1)
        return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)

    def flow(
        self, first: Float[Tensor, "1 1 h w"], second: Float[Tensor, "1 1 h w"]
    ) -> Float[Tensor, "2 2 h w"]:
        """From the first frame to the second, and back."""
        with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
            found: Tensor = self._both_ways((first, second))
        return found


def _both_ways(pair: tuple[Tensor, Tensor]) -> Tensor:
    first, second = pair
    return lucas_kanade(torch.cat([first, second]), torch.cat([second, first]))


def lucas_kanade(
    image: Float[Tensor, "B 1 h w"], other: Float[Tensor, "B 1 h w"]
) -> Float[Tensor, "B 2 h w"]:
    r"""Dense flow `f` with `other(x + f(x)) = image(x)`, in pixels.

    From the coarsest level to the finest, a few times, with `G` the gradient of the image and `d`
    the difference that is left:

    .. math:: f \leftarrow \Big(\sum_w G G^T + \lambda\Big)^{-1}
              \Big(\sum_w G\,(G^T f - d) + \lambda \sum_w f\Big)

    over the window around each pixel, every pixel of which brings a flow of its own. Then each
    pixel takes what a neighbour found if that fits it better (`spread`), and the flow is made
    smooth where the image says little (`regularised`).

    Sources: Lucas and Kanade (1981); Bouguet (2001) for the pyramid; Brox et al. (ECCV 2004) for
    the last step.

    Args:
        image: grey levels in [0, 255].
        other: the same at another time.
    """
    levels = [pyramid(each, _LEVELS, _LEAST_SIDE) for each in (image, other)]
    flow = image.new_zeros(len(image), 2, *levels[0][-1].shape[2:])
    for own, its in zip(reversed(levels[0]), reversed(levels[1]), strict=True):
        if flow.shape[2:] != own.shape[2:]:
            flow = enlarged(flow, (own.shape[2], own.shape[3]))
        look_up, gradient = Sampler.of(own), derivatives(own)
        flow = _least_squares(own, its, flow, gradient, look_up)
        flow = spread(own, its, flow, look_up)
        flow = regularised(own, its, flow, gradient, look_up)
    return flow


def _least_squares(
    image: Tensor, other: Tensor, flow: Tensor, gradient: Tensor, look_up: Sampler
) -> Tensor:
    squares = Symmetric(gradient**2, gradient[:, :1] * gradient[:, 1:])
    around = window_means(torch.cat([squares.diagonal, squares.other], dim=1), _WINDOW)
    solve = Symmetric(around[:, :2] + _DAMPING, around[:, 2:]).inverse()
    damped = Symmetric(squares.diagonal + _DAMPING, squares.other)
    for _ in range(_STEPS):
        left = look_up(other, flow) - image
        wanted = torch.addcmul(damped @ flow, gradient, left, value=-1)
        step = solve @ window_means(wanted, _WINDOW) - flow
        flow = flow + step.clamp(-_LONGEST_STEP, _LONGEST_STEP)
    return flow
