"""Warping as the program of UnifiedVideoDA computes it, for comparisons with its numbers."""

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from ditta_adapt.baselines.refinement.warp import check_flow, landing

FILLED = 255
"""What the program writes where there is no source, in labels and in logits alike."""


def unified_video_da_warp(
    maps: Shaped[Tensor, "K H W"], flow: Float[Tensor, "2 H W"]
) -> tuple[Shaped[Tensor, "K H W"], Bool[Tensor, "H W"]]:
    """`warp` with everything the released program does differently.

    * The source is the pixel at the rounded-down coordinates.
    * Flow that leads out of the image, or into its lower part, is set to 0. The lower part starts
      at row 840 of 1024, else at 0.7 of the height: the bonnet of the recording car.
    * Pixels with a flow of exactly 0 are filled, so also what truly stands still.
    * Where several pixels share a source, the program fills the pixel of *this* frame that has
      the source's coordinates, not the pixels that share it.
    * Everything filled is 255, in every channel, also in maps of logits.

    Args:
        maps: `(K, H, W)` of frame `t + k`, of a dtype that holds 255.
        flow: `(2, H, W)` float, from frame `t` to frame `t + k`, in pixels: columns, then rows.

    Returns:
        The warped maps; and `(H, W)` bool, where no channel is 255.

    Raises:
        ShapeError: shapes that do not belong together.

    Source: released program of UnifiedVideoDA (arXiv 2402.00868).
    """
    check_flow(flow, maps)
    height, width = maps.shape[1:]
    limit = 840 if height == 1024 else int(0.7 * height)
    rows, columns = landing(flow)
    kept = (rows >= 0) & (rows < limit) & (columns >= 0) & (columns < width)
    flow = torch.where(kept, flow, torch.zeros_like(flow))
    rows, columns = (place.long() for place in landing(flow))
    readers = torch.bincount((rows * width + columns).flatten(), minlength=height * width)
    filled = (readers.view(height, width) > 1) | (flow == 0).all(dim=0)
    warped = maps[:, rows, columns].masked_fill(filled, FILLED)
    return warped, (warped != FILLED).all(dim=0)
