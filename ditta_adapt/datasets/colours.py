"""Colours for data sets that bring none."""

import numpy as np
from jaxtyping import UInt8


def distinct_colours(count: int) -> UInt8[np.ndarray, "count 3"]:
    """Colours that differ from each other and from black, and stay the same as more are asked for.

    The bits of `1 + index` are dealt out to red, green and blue in turn, each channel filled from
    its highest bit, which sets neighbours far apart. This is the colouring of PASCAL VOC, without
    the black of its background.

    Args:
        count: up to 255.

    Returns:
        `(count, 3)` uint8 RGB.
    """
    number = np.arange(1, count + 1)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= ((number >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours
