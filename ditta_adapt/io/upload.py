"""Frames to the device that labels them, once each."""

import torch
from jaxtyping import UInt8
from torch import Tensor


def upload(frame: UInt8[Tensor, "3 H W"], device: torch.device) -> UInt8[Tensor, "3 H W"]:
    """A frame on a device; to a GPU from pinned memory, so that nobody waits for the copy."""
    if device.type == "cuda" and frame.device.type == "cpu":
        return frame.pin_memory().to(device, non_blocking=True)
    return frame.to(device)
