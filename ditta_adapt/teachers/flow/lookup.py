"""From flow both ways to where each cell of a frame was, and whether to trust that."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def lookup(
    back: Float[Tensor, "2 H W"],
    forth: Float[Tensor, "2 H W"],
    size: tuple[int, int],
    *,
    tolerance: float,
) -> tuple[Float[Tensor, "h w 2"], Bool[Tensor, "h w"]]:
    r"""Where each cell of a frame was in its neighbour, checked forward and backward.

    .. math:: |b(x) + f(x + b(x))| \le tolerance + 0.1\, |b(x)|

    and `x + b(x)` inside the image.

    Args:
        back: `b`, flow from the frame to its neighbour, in pixels of its grid.
        forth: `f`, from the neighbour to the frame.
        size: `(h, w)` of a grid of cells over the whole frame.
        tolerance: in the same pixels.

    Returns:
        Places `(x, y)` in [-1, 1] on the neighbour (aligned corners), and which pass the check.
    """
    height, width = back.shape[1:]
    xs = torch.arange(width, dtype=back.dtype, device=back.device)
    ys = torch.arange(height, dtype=back.dtype, device=back.device)
    x, y = xs + back[0], ys[:, None] + back[1]
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    returned = F.grid_sample(forth[None], grid[None], align_corners=True)[0]
    valid = (back + returned).norm(dim=0) <= tolerance + 0.1 * back.norm(dim=0)
    # A hundredth of a pixel beyond the border is rounding, not motion.
    valid &= (x >= -0.01) & (x <= width - 0.99) & (y >= -0.01) & (y <= height - 0.99)
    if (height, width) == size:
        return grid, valid
    planes = torch.cat([grid.permute(2, 0, 1), valid[None].to(grid)])
    # Corners map to corners in the normalised grid, so aligned corners keep zero flow at zero.
    planes = F.interpolate(planes[None], size, mode="bilinear", align_corners=True)[0]
    return planes[:2].permute(1, 2, 0), planes[2] > 0.5
