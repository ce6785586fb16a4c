"""Look every pixel up along an optical flow, and say which look-ups to trust."""

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice, check_number
from ditta_adapt.errors import InputError, ShapeError

Interpolation = Literal["bilinear", "nearest"]


def warp(
    maps: Shaped[Tensor, "K H W"],
    flow: Float[Tensor, "2 H W"],
    *,
    interpolation: Interpolation = "bilinear",
) -> tuple[Shaped[Tensor, "K H W"], Bool[Tensor, "H W"]]:
    r"""Bring maps of another frame into frame `t`, by a flow that starts at frame `t`.

    .. math:: out(i, j) = maps(i + flow_1(i, j),\; j + flow_0(i, j))

    Args:
        maps: `(K, H, W)` of frame `t + k`; any dtype for `"nearest"`, float for `"bilinear"`.
        flow: `(2, H, W)` float, from frame `t` to frame `t + k`, in pixels: columns, then rows.
        interpolation: `"bilinear"`, which is linear in `maps`, or `"nearest"` (halves go up).

    Returns:
        The warped maps, in the dtype of `maps`, 0 where there is no source; and `(H, W)` bool,
        where there is one: the look-up does not leave the image and the flow is not NaN.

    Raises:
        ShapeError: shapes that do not belong together.
        InputError: unknown `interpolation`, or bilinear interpolation of integers.

    Source: UnifiedVideoDA (arXiv 2402.00868), the propagation operator. Its program computes
    something else, see `unified_video_da_warp`.
    """
    check_flow(flow, maps)
    check_choice("interpolation", interpolation, get_args(Interpolation))
    if interpolation == "bilinear" and not maps.is_floating_point():
        raise InputError(
            f"maps are {maps.dtype}; bilinear interpolation needs floats. Take 'nearest' for "
            "labels."
        )
    height, width = maps.shape[1:]
    rows, columns = landing(flow)
    valid = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    rows, columns = (torch.where(valid, place, 0) for place in (rows, columns))
    if interpolation == "nearest":
        warped = maps[:, (rows + 0.5).long(), (columns + 0.5).long()]
    else:
        top, left = rows.long(), columns.long()
        bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
        down, along = (rows - top).to(maps.dtype), (columns - left).to(maps.dtype)
        upper = maps[:, top, left] * (1 - along) + maps[:, top, right] * along
        lower = maps[:, bottom, left] * (1 - along) + maps[:, bottom, right] * along
        warped = upper * (1 - down) + lower * down
    return torch.where(valid, warped, torch.zeros_like(warped)), valid


def round_trip_valid(
    flow: Float[Tensor, "2 H W"], back: Float[Tensor, "2 H W"], *, tolerance: float = 1.0
) -> Bool[Tensor, "H W"]:
    r"""Where going along a flow and back ends near the start.

    .. math:: \lVert flow(x) + back(x + flow(x)) \rVert \le tolerance

    Args:
        flow: `(2, H, W)`, from frame `t` to frame `t + k`, in pixels.
        back: `(2, H, W)`, from frame `t + k` to frame `t`.
        tolerance: in pixels, at least 0.

    Returns:
        `(H, W)` bool on frame `t`; false where the flow leaves the image.

    Raises:
        ShapeError: the two flows differ in shape.
        InputError: `tolerance` is negative.
    """
    check_number("tolerance", tolerance, 0)
    returned, inside = warp(back, flow)
    error: Tensor = torch.linalg.vector_norm(flow + returned, dim=0)
    return inside & (error <= tolerance)


def unshared_valid(flow: Float[Tensor, "2 H W"]) -> Bool[Tensor, "H W"]:
    """Where no other pixel looks up the same source pixel (the nearest one).

    Pixels that share a source cannot all show what is there: all but one are occluded.

    Args:
        flow: `(2, H, W)` float, in pixels.

    Returns:
        `(H, W)` bool; false where the flow leaves the image.

    Raises:
        ShapeError: `flow` has another shape.
    """
    height, width = flow.shape[1:]
    index = torch.arange(height * width, device=flow.device).view(1, height, width)
    source, inside = warp(index, flow, interpolation="nearest")
    counts = torch.bincount(source[0][inside], minlength=height * width)
    return inside & (counts[source[0]] == 1)


def landing(
    flow: Float[Tensor, "2 H W"],
) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
    """The row and the column that each pixel's flow leads to."""
    height, width = flow.shape[1:]
    rows = torch.arange(height, device=flow.device).unsqueeze(1)
    columns = torch.arange(width, device=flow.device)
    return rows + flow[1], columns + flow[0]


def check_flow(flow: Tensor, maps: Tensor) -> None:
    """Raise `ShapeError` unless flow is `(2, H, W)` and maps are `(K, H, W)`."""
    if maps.ndim != 3 or tuple(flow.shape) != (2, *maps.shape[1:]):
        raise ShapeError(
            f"flow has shape {tuple(flow.shape)} and maps {tuple(maps.shape)}; expected (2, H, W) "
            "and (K, H, W)."
        )
