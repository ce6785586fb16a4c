"""A small video of moving, textured shapes whose true masks are known."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

MOVER, LEAVER, LATE = 0, 1, 2
"""Which shape is which: one crosses the image, one leaves it, one drifts slowly."""


@dataclass(frozen=True, slots=True)
class ShapesVideo:
    """Frames and truth.

    Attributes:
        frames: `T` arrays `(H, W, 3)`, uint8, RGB.
        truth: `(T, 3, H, W)` bool; empty where a shape is out of view.
    """

    frames: list[np.ndarray]
    truth: Bool[Tensor, "T 3 H W"]


def shapes_video(num_frames: int = 6, size: tuple[int, int] = (96, 128)) -> ShapesVideo:
    """Draw the video; the same one every time.

    A square moves right by 4 pixels a frame; a disc moves left by 8 and is out of view from
    frame 4 on; another disc moves up by 1. They never overlap, and the background is still.
    """
    height, width = size
    back = 80 + _texture(0, size) // 4
    # Colour alone tells the shapes from what is behind them, and from each other.
    tints = torch.tensor(
        [[110, 20, 0], [0, 110, 20], [20, 0, 110]], dtype=torch.uint8, device="cpu"
    )
    fronts = [
        tint.view(3, 1, 1) + _texture(1 + i, (2 * height, 2 * width)) // 2
        for i, tint in enumerate(tints)
    ]
    rows, columns = (torch.arange(side, device="cpu") for side in size)
    ys, xs = torch.meshgrid(rows, columns, indexing="ij")
    frames, truth = [], []
    for t in range(num_frames):
        centres = ((26, 30 + 4 * t), (66, 16 - 8 * t), (64 - t, width - 38))
        frame, masks = back.clone(), []
        for i, ((y, x), front) in enumerate(zip(centres, fronts, strict=True)):
            dy, dx = ys - y, xs - x
            inside = torch.maximum(dy.abs(), dx.abs()) < 15 if i == MOVER else dy**2 + dx**2 < 14**2
            # The texture moves with its shape.
            shifted = front[:, (dy + height) % (2 * height), (dx + width) % (2 * width)]
            frame = torch.where(inside, shifted, frame)
            masks.append(inside)
        frames.append(frame.permute(1, 2, 0).contiguous().numpy())
        truth.append(torch.stack(masks))
    return ShapesVideo(frames, torch.stack(truth))


def _texture(seed: int, size: tuple[int, int]) -> UInt8[Tensor, "3 H W"]:
    """Smooth random colours with detail of about four pixels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = (1, 3, size[0] // 4, size[1] // 4)
    noise = torch.rand(coarse, generator=generator, device="cpu")
    smooth = F.interpolate(noise, size, mode="bicubic", align_corners=False)
    return (smooth.clamp(0, 1)[0] * 255).byte()
