"""Large pixels: down and up again with a box filter."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64, UInt8

# Weights are whole multiples of 2^-22, and each of the two passes rounds to 8 bits, as in Pillow.
_ONE = 2**22


def pixelate(frame: UInt8[np.ndarray, "H W 3"], factor: float) -> UInt8[np.ndarray, "H W 3"]:
    """Resize to `int(factor · size)` and back.

    Equals Pillow's `resize(..., BOX)` to the last bit, where that takes the width first.

    Args:
        frame: uint8.
        factor: size of the small image as a share of the frame's, in (0, 1]; no side becomes
            less than one pixel.

    Returns:
        The coarse frame, uint8 of the same shape.
    """
    height, width = frame.shape[:2]
    small = _resize(frame, max(1, int(height * factor)), max(1, int(width * factor)))
    return _resize(small, height, width)


def _resize(
    image: UInt8[np.ndarray, "H W 3"], height: int, width: int
) -> UInt8[np.ndarray, "new_H new_W 3"]:
    rows = _shrink_axis(image.transpose(1, 0, 2), width)
    return _shrink_axis(rows.transpose(1, 0, 2), height)


def _shrink_axis(image: UInt8[np.ndarray, "N M 3"], size: int) -> UInt8[np.ndarray, "new_N M 3"]:
    """Resize along the first axis, `round(sum of weight · pixel)`."""
    weights = _box_weights(image.shape[0], size)
    # All numbers are integers below 2^31, so that the products are exact.
    sums = weights @ image.reshape(image.shape[0], -1).astype(np.float64)
    rounded = np.floor((sums + _ONE // 2) / _ONE)
    return np.clip(rounded, 0, 255).astype(np.uint8).reshape(size, *image.shape[1:])


@lru_cache(maxsize=8)
def _box_weights(old: int, new: int) -> Float64[np.ndarray, "new old"]:
    """Weight of each old pixel in each new one, in units of 2^-22.

    A new pixel is the mean of the old pixels whose centres lie under it; where pixels grow, it is
    the one old pixel under its centre.
    """
    scale = old / new
    width = max(scale, 1.0)
    centres = (np.arange(new)[:, None] + 0.5) * scale
    pixels = np.arange(old)[None, :]
    distance = (pixels - centres + 0.5) * (1.0 / width)
    first = np.floor(centres - 0.5 * width + 0.5)
    end = np.floor(centres + 0.5 * width + 0.5)
    under = (distance > -0.5) & (distance <= 0.5) & (pixels >= first) & (pixels < end)
    weights: np.ndarray = np.floor(under / under.sum(axis=1, keepdims=True) * _ONE + 0.5)
    weights.setflags(write=False)  # The cached array is shared between calls.
    return weights
