"""Gaussian noise."""

import numpy as np
from jaxtyping import UInt8

from ditta_adapt.corruptions.quantise import quantise


def gaussian_noise(
    frame: UInt8[np.ndarray, "H W 3"], sigma: float, *, rng: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """`clip(x + n, 0, 1)` with `n ~ N(0, sigma²)`, independent for every pixel and channel.

    Args:
        frame: uint8; `x = frame / 255`.
        sigma: standard deviation on a scale where white is 1.
        rng: the source of the noise.

    Returns:
        The noisy frame, uint8 of the same shape.
    """
    return quantise(frame / 255.0 + rng.normal(scale=sigma, size=frame.shape))
