"""Defocus: every point becomes a disk."""

import numpy as np
from jaxtyping import Float32, UInt8

from ditta_adapt.corruptions.quantise import quantise
from ditta_adapt.io.optional import require


def defocus_blur(
    frame: UInt8[np.ndarray, "H W 3"], radius: int, alias_sigma: float
) -> UInt8[np.ndarray, "H W 3"]:
    """Correlate every channel with `disk_kernel`; the border is mirrored without repeating it.

    Args:
        frame: uint8.
        radius: radius of the disk in pixels.
        alias_sigma: see `disk_kernel`.

    Returns:
        The blurred frame, uint8 of the same shape.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = require("cv2")
    kernel = disk_kernel(radius, alias_sigma)
    return quantise(cv2.filter2D(frame / 255.0, -1, kernel))


def disk_kernel(radius: int, alias_sigma: float) -> Float32[np.ndarray, "K K"]:
    """A disk of sum 1 on a grid, its edge softened by a small Gaussian.

    The grid is `-8..8` with a Gaussian of 3 x 3 for radii up to 8, `-radius..radius` with one of
    5 x 5 beyond. The Gaussian mirrors the grid at its border, which a disk of radius 8 or more
    touches: such a kernel sums to a little more than 1 (1.0130 for radius 8, 1.0108 for radius
    10, with `alias_sigma` 0.5), and brightens by that much.

    Args:
        radius: radius of the disk in pixels, at least 1.
        alias_sigma: standard deviation of the Gaussian in pixels, more than 0.

    Returns:
        float32, `(17, 17)` or `(2 · radius + 1, 2 · radius + 1)`.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = require("cv2")
    half, side = (8, 3) if radius <= 8 else (radius, 5)
    squares = np.arange(-half, half + 1) ** 2
    disk = (squares[:, None] + squares[None, :] <= radius**2).astype(np.float32)
    kernel: np.ndarray = cv2.GaussianBlur(disk / disk.sum(), (side, side), sigmaX=alias_sigma)
    return kernel
