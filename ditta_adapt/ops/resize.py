"""Logits of a coarse grid at the size of the frame."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def resize_logits(
    logits: Float[Tensor, "B C h w"], size: tuple[int, int]
) -> Float[Tensor, "B C H W"]:
    """Logits at frame size `(H, W)`: bilinear, `align_corners=False`, float32."""
    return F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)
