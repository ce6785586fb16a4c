"""The last step of every corruption that computes in floats."""

import numpy as np
from jaxtyping import Float64, UInt8


def quantise(image: Float64[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """`round(255 · clip(x, 0, 1))`, where a half goes to the even neighbour.

    Args:
        image: float64, any finite values; white is 1.

    Returns:
        uint8 of the same shape.
    """
    levels: np.ndarray = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels
