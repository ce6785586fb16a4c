"""Colours for classes: distinct ones, the same for the same class."""

import colorsys

import numpy as np
from jaxtyping import UInt8

# Turns of the colour circle that never come near each other soon.
_GOLDEN = 0.618033988749895
# Saturation and brightness, by turns, so that neighbours on the circle still differ.
_TONES = ((0.75, 0.95), (0.55, 0.75), (0.90, 0.80), (0.40, 0.95))


def distinct_palette(num_classes: int) -> UInt8[np.ndarray, "C 3"]:
    """RGB colours `(C, 3)` uint8: hues by the golden ratio, in four tones."""
    colours = [
        colorsys.hsv_to_rgb((0.58 + _GOLDEN * k) % 1, *_TONES[k % len(_TONES)])
        for k in range(num_classes)
    ]
    return (255 * np.array(colours, dtype=np.float64).reshape(-1, 3)).round().astype(np.uint8)


def hex_colour(colour: UInt8[np.ndarray, "3"]) -> str:
    """`#rrggbb`."""
    return "#" + bytes(colour.tolist()).hex()
