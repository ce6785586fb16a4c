"""Prompts as SAM2-like video models of transformers take them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ditta_adapt import Prompt


def point_input(prompt: Prompt, side: int, size: tuple[int, int]) -> dict[str, Tensor]:
    """A positive click at the prompt's point, in pixels of the model's square input.

    Args:
        prompt: its point lies in the frame.
        side: of the model's input.
        size: `(H, W)` of the frame.
    """
    (x, y), (height, width) = prompt.point, size
    place = [x * (side / width), y * (side / height)]
    return {
        "point_coords": torch.tensor([[[place]]], dtype=torch.float32, device="cpu"),
        "point_labels": torch.ones(1, 1, 1, dtype=torch.int32, device="cpu"),
    }


def mask_input(prompt: Prompt, side: int, device: torch.device) -> Float[Tensor, "1 1 S S"]:
    """The prompt's region as 0 and 1 at the size of the model's square input."""
    region = prompt.region[None, None].to(device, torch.float32)
    region = F.interpolate(region, (side, side), mode="bilinear", antialias=True)
    return (region >= 0.5).float()
