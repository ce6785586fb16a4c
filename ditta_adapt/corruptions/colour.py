"""Brightness, contrast and saturation.

Brightness and saturation are changes of V and S of the HSV model. Neither changes the hue, and at
a fixed hue a colour is `c = V · (1 - S · m)`, where `m` per channel is 0 for the largest channel
and 1 for the smallest. So the hue is kept as `m`, with no angle and no six cases.
"""

import numpy as np
from jaxtyping import Float64, UInt8

from ditta_adapt.corruptions.quantise import quantise

# A grey pixel has no hue. HSV calls it "the first channel", and the program that made DAVIS-C had
# blue first: so where grey gains saturation, blue is the channel that stays.
_MIX_OF_GREY = (1.0, 1.0, 0.0)


def brightness(frame: UInt8[np.ndarray, "H W 3"], offset: float) -> UInt8[np.ndarray, "H W 3"]:
    """`V <- clip(V + offset, 0, 1)` in HSV.

    Args:
        frame: uint8.
        offset: what is added to the value V, which lies in [0, 1].

    Returns:
        The brighter frame, uint8 of the same shape.
    """
    value, saturation, mix = _split(frame / 255.0)
    return quantise(np.clip(value + offset, 0.0, 1.0) * (1.0 - saturation * mix))


def saturate(
    frame: UInt8[np.ndarray, "H W 3"], factor: float, offset: float
) -> UInt8[np.ndarray, "H W 3"]:
    """`S <- clip(factor · S + offset, 0, 1)` in HSV.

    Grey stays grey for `offset = 0` and turns bluish otherwise, black stays black.

    Args:
        frame: uint8.
        factor: factor on the saturation S, which lies in [0, 1].
        offset: what is added to it.

    Returns:
        The more colourful frame, uint8 of the same shape.
    """
    value, saturation, mix = _split(frame / 255.0)
    return quantise(value * (1.0 - np.clip(saturation * factor + offset, 0.0, 1.0) * mix))


def contrast(frame: UInt8[np.ndarray, "H W 3"], factor: float) -> UInt8[np.ndarray, "H W 3"]:
    """`clip((x - μ) · factor + μ, 0, 1)`, with μ the mean of each channel over the frame.

    Args:
        frame: uint8; `x = frame / 255`.
        factor: what is left of the contrast, in [0, 1].

    Returns:
        The paler frame, uint8 of the same shape.
    """
    image = frame / 255.0
    mean = image.mean(axis=(0, 1), keepdims=True)
    return quantise((image - mean) * factor + mean)


def _split(
    image: Float64[np.ndarray, "H W 3"],
) -> tuple[
    Float64[np.ndarray, "H W 1"], Float64[np.ndarray, "H W 1"], Float64[np.ndarray, "H W 3"]
]:
    """Value, saturation and mix of every pixel: `image = value · (1 - saturation · mix)`."""
    value = image.max(axis=2, keepdims=True)
    spread = value - image.min(axis=2, keepdims=True)
    # Where the denominator is 0 the result is replaced or 0 in any case.
    saturation = spread / np.where(value > 0, value, 1.0)
    mix = np.where(spread > 0, (value - image) / np.where(spread > 0, spread, 1.0), _MIX_OF_GREY)
    return value, saturation, mix
