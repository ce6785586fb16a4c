"""What a model is shown of frames at another size than usual."""

import inspect
import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.models.forward import model_errors
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.preprocessing import resize_frames
from ditta_adapt.models.segmenter import Segmenter


def shown_at(
    segmenter: Segmenter, frames: UInt8[Tensor, "B 3 H W"], scale: float
) -> Float[Tensor, "B *image"]:
    """The model's input for frames, without gradients where it is not as usual.

    Args:
        segmenter: its own `preprocess(frames, scale=...)` is asked, if it has that argument; else
            it is shown the frames resized.
        frames: RGB.
        scale: how many times as large as usual; at 1 nothing else is done.

    Raises:
        SegmenterError: the model raised.
    """
    if scale == 1:
        return segmenter.preprocess(frames)
    with torch.no_grad(), model_errors(segmenter, f"preprocess at scale {scale}"):
        frames = frames.to(device_of(segmenter))
        if takes_scale(segmenter):
            return segmenter.preprocess(frames, scale=scale)  # type: ignore[call-arg]
        # Sides stay multiples of what they are multiples of, since a model may ask for that.
        sides = frames.shape[2:]
        height, width = (max(round(n * scale / (k := math.gcd(n, 32))), 1) * k for n in sides)
        return segmenter.preprocess(resize_frames(frames, (height, width), "bilinear"))


def takes_scale(segmenter: Segmenter) -> bool:
    """Whether `preprocess` takes `scale=`, and so can show the model more detail of a frame."""
    try:
        return "scale" in inspect.signature(segmenter.preprocess).parameters
    except (TypeError, ValueError):
        return False
