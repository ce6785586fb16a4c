"""Frames as the network takes them."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ditta_adapt.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from ditta_adapt.teachers.stcn.network import STRIDE


def network_size(size: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """`(H, W)` that the network sees: about as large as asked, and of whole cells.

    A side is rounded to the nearest multiple of 16, so it may be eight pixels longer.
    """
    scale = min(1.0, shorter_side / min(size))
    height, width = (max(round(side * scale / STRIDE), 1) * STRIDE for side in size)
    return height, width


def image_of(
    frame: UInt8[Tensor, "3 H W"], size: tuple[int, int], device: torch.device
) -> Float[Tensor, "1 3 h w"]:
    """A frame, normalised as ImageNet's, resized bilinearly with anti-aliasing."""
    image = frame.to(device)[None].float() / 255
    if image.shape[2:] != size:
        image = F.interpolate(image, size, mode="bilinear", antialias=True)
    mean, std = (
        torch.tensor(values, device=device).view(3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (image - mean) / std


def on_grid(masks: Bool[Tensor, "K H W"], size: tuple[int, int]) -> Float[Tensor, "K h w"]:
    """Masks at the network's size, as shares of its pixels."""
    return F.interpolate(masks[None].float(), size, mode="area")[0]
