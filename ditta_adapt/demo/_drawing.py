"""Drawing tools for the demo's art: tileable noise, a smooth canvas, and sprite pyramids.

A sprite is a pyramid of premultiplied RGBA float32 images in [0, 1]; level k is half the size of
level k - 1, so that far objects can be drawn without aliasing.
"""

import numpy as np
import numpy.typing as npt

from ditta_adapt.io.optional import require

cv2 = require("cv2")

Array = npt.NDArray[np.float32]
Sprite = tuple[Array, ...]
Color = tuple[float, float, float]
Point = tuple[float, float]

NOISE_SIZE = 256


def tileable_noise(rng: np.random.Generator, size: int, cells: int, octaves: int) -> Array:
    """Fractal noise of unit variance, shape (size, size), that wraps around at its borders."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        count = min(cells << octave, size)
        step = size // count
        grid = rng.standard_normal((count, count)).astype(np.float32)
        wide = cv2.resize(
            np.pad(grid, 2, mode="wrap"), None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC
        )
        total += wide[2 * step : 2 * step + size, 2 * step : 2 * step + size] * 0.6**octave
    return np.asarray((total - total.mean()) / total.std(), np.float32)


class Canvas:
    """A drawing surface with coordinates in [0, 1], drawn large and then shrunk to smooth edges."""

    OVER = 3

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        shape = (height * self.OVER, width * self.OVER)
        self.rgb = np.zeros((*shape, 3), np.float32)
        self.alpha = np.zeros(shape, np.float32)

    def _points(self, points: list[Point]) -> npt.NDArray[np.int32]:
        scale = np.array([self.width, self.height]) * self.OVER
        return np.asarray(np.round(np.asarray(points) * scale), np.int32)

    def polygon(self, points: list[Point], color: Color, alpha: float = 1.0) -> None:
        """Fill a polygon; ``alpha`` replaces what was there."""
        corners = self._points(points)
        cv2.fillPoly(self.rgb, [corners], color)
        cv2.fillPoly(self.alpha, [corners], alpha)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: Color) -> None:
        """Fill an axis-aligned box."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def ellipse(self, center: Point, radii: Point, color: Color) -> None:
        """Fill an ellipse."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * np.asarray(radii) + center
        self.polygon([(float(x), float(y)) for x, y in ring], color)

    def limb(self, start: Point, end: Point, thickness: float, color: Color) -> None:
        """Draw a thick line; ``thickness`` is a share of the canvas width."""
        a, b = self._points([start, end]).tolist()
        width = max(1, round(thickness * self.width * self.OVER))
        cv2.line(self.rgb, a, b, color, width)
        cv2.line(self.alpha, a, b, 1.0, width)

    def sprite(self, grain: Array | None = None) -> Sprite:
        """The drawing as a pyramid; ``grain`` multiplies its colours."""
        rgb = self.rgb
        if grain is not None:
            rgb = rgb * cv2.resize(grain, (rgb.shape[1], rgb.shape[0]))[..., None]
        rgba = np.dstack([np.clip(rgb, 0, 1) * self.alpha[..., None], self.alpha])
        small = cv2.resize(rgba, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return pyramid(np.asarray(small, np.float32))


def pyramid(image: Array) -> Sprite:
    """The image and its halvings, down to a few pixels."""
    levels = [image]
    while min(levels[-1].shape[:2]) >= 6:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(
            levels[-1], (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA
        )
        levels.append(np.asarray(half, np.float32))
    return tuple(levels)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A draw from [low, high) as a plain float."""
    return float(rng.uniform(low, high))


def gray(value: float) -> Color:
    """A colour with equal channels."""
    return (value, value, value)


def grain_of(rng: np.random.Generator, noise: Array, strength: float) -> Array:
    """A multiplier around 1, from a random placement of ``noise``."""
    shift = rng.integers(0, NOISE_SIZE, 2)
    return np.asarray(1 + strength * np.roll(noise, shift, (0, 1)), np.float32)
