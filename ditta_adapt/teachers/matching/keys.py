"""What cells of a frame are compared by."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import PropagationError


def frame_keys(
    maps: Sequence[Tensor],
    frame: UInt8[Tensor, "3 H W"],
    size: tuple[int, int],
) -> Float[Tensor, "D h w"]:
    r"""Keys of a frame, on a grid over it.

    .. math:: q(x) = \frac{1}{\sqrt{M + 1}} \left[ \frac{f_1(x) - \bar f_1}{|f_1(x) - \bar f_1|},
        \dots, \frac{f_M(x) - \bar f_M}{|f_M(x) - \bar f_M|}, c(x) \right]

    so that the squared distance of two keys is the mean over all maps and the colours `c`, which
    are from -1 to 1. What all cells of a map share, its mean, tells none of them from another.

    Args:
        maps: `f_i`, `M >= 1` of them, `(1, D_i, h_i, w_i)`, each on a grid of its own.
        frame: RGB.
        size: `(h, w)`.

    Raises:
        PropagationError: a map is none over a frame, or not finite.
    """
    parts = []
    for number, features in enumerate(maps):
        if features.ndim != 4 or features.shape[0] != 1 or not features.is_floating_point():
            raise PropagationError(
                f"map {number} of the features is {features.dtype} {tuple(features.shape)}; "
                "expected floating point (1, D, h, w)."
            )
        resized = _resized(features.float(), size)
        centred = resized - resized.mean(dim=(2, 3), keepdim=True)
        parts.append(F.normalize(centred, dim=1))
    if not parts:
        raise PropagationError("the features are empty; expected at least one map (1, D, h, w).")
    colours = _resized(frame.unsqueeze(0).to(parts[0]) / 127.5 - 1, size)
    keys: Tensor = torch.cat([*parts, colours], dim=1)[0] / (len(parts) + 1) ** 0.5
    if not bool(torch.isfinite(keys).all()):
        raise PropagationError("the features are not finite (NaN or infinity).")
    return keys


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps.shape[2:]) == size:
        return maps
    resized: Tensor = F.interpolate(
        maps, size, mode="bilinear", antialias=True, align_corners=False
    )
    return resized


def principal_axes(keys: Float[Tensor, "D h w"], count: int) -> Float[Tensor, "D K"]:
    """The directions in which the keys of a frame differ most, `K = min(count, D)` of them.

    Keys along these axes are compared in a fraction of the time, and better: what hardly varies
    over a frame is noise.

    Args:
        keys: see `frame_keys`.
        count: at least 1.
    """
    cells = keys.flatten(1).double()
    cells = cells - cells.mean(dim=1, keepdim=True)
    # In rising order of variance.
    axes: Tensor = torch.linalg.eigh(cells @ cells.T).eigenvectors[:, -count:]
    return axes.to(keys)
