"""Outlines: closed curves of (x, y) points, float64, shape (N, 2), mostly within -1..1."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.photos import silhouette_outline
from examples.train_small_sam2.textures import Rng, fractal

Outline = npt.NDArray[np.float64]

_TURN = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_WAVES = np.arange(1, 7)
_ROUND = np.stack([np.cos(_TURN[::2]), np.sin(_TURN[::2])])
_CAP = np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
_CAP_X, _CAP_Y = np.cos(_CAP), np.sin(_CAP)


def rounded(points: Outline, times: int = 2) -> Outline:
    """Corners cut ``times`` times, a quarter of each side at each end (Chaikin's scheme)."""
    for _ in range(times):
        after = np.concatenate([points[1:], points[:1]])
        points = np.hstack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after])
        points = points.reshape(-1, 2)
    return points


def ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0) -> Outline:
    """An ellipse around (x, y) with half axes ``a`` and ``b``, turned by ``turn`` radians."""
    u, v = a * _ROUND[0], b * _ROUND[1]
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x + cos * u - sin * v, y + sin * u + cos * v], 1)


def blob(rng: Rng, rough: float = 0.25) -> Outline:
    """A smooth irregular closed curve: a circle plus waves, the faster the smaller."""
    heights = rough * rng.normal(size=6) / _WAVES**0.7
    shifts = rng.uniform(0, 2 * np.pi, 6)
    waves = np.cos(_WAVES[:, None] * _TURN + shifts[:, None])
    radius = np.maximum(1 + heights @ waves, 0.25)
    points = np.stack([radius * np.cos(_TURN), radius * np.sin(_TURN)], 1)
    return _fitted(points * [1, rng.uniform(0.35, 1)])


def limb(start: tuple[float, float], end: tuple[float, float], r0: float, r1: float) -> Outline:
    """A tapered capsule from ``start`` (radius r0) to ``end`` (radius r1)."""
    (x0, y0), (x1, y1) = start, end
    length = max(math.hypot(x1 - x0, y1 - y0), 1e-9)
    cos, sin = (x1 - x0) / length, (y1 - y0) / length
    u, v = cos * _CAP_X - sin * _CAP_Y, sin * _CAP_X + cos * _CAP_Y
    points = np.empty((14, 2))
    points[:7, 0], points[:7, 1] = x0 + r0 * u, y0 + r0 * v
    points[7:, 0], points[7:, 1] = x1 - r1 * u, y1 - r1 * v
    return points


def _fitted(points: Outline) -> Outline:
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) * (2 / max((high - low).max(), 1e-6))


def _polygon(rng: Rng) -> Outline:
    count = int(rng.integers(3, 10))
    angle = np.sort(
        np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(-0.35, 0.35, count)
    )
    radius = rng.uniform(rng.uniform(0.3, 1), 1, count)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.4, 1)], 1)
    return _fitted(rounded(points, int(rng.integers(0, 3))))


def _island(rng: Rng) -> Outline:
    """The largest piece of thresholded noise: bays, arms and necks."""
    side = 48
    line = np.linspace(-1, 1, side, dtype=np.float32)
    hill = 0.9 - 1.5 * (line[:, None] ** 2 + line[None] ** 2)
    field = hill + fractal(rng, side, cells=rng.uniform(2.5, 5), roughness=0.4)
    contours, _ = cv2.findContours(np.uint8(field > 0), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return blob(rng)
    points = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    if len(points) < 12:
        return blob(rng)
    return _fitted(rounded(points[::2], 1))


def _ribbon(rng: Rng) -> Outline:
    """A long bent strip: rope, snake, branch."""
    steps = np.linspace(0, 1, 16)
    heading = (
        rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, 16)) + steps * rng.normal(0, 1.5)
    )
    spine = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) / 8
    across = np.stack([-np.sin(heading), np.cos(heading)], 1)
    width = rng.uniform(0.05, 0.16) * (1 - rng.uniform(0, 0.8) * steps)[:, None]
    return _fitted(np.concatenate([spine + across * width, (spine - across * width)[::-1]]))


def _horse(rng: Rng) -> Outline:
    bend = np.eye(2) + rng.normal(0, 0.15, (2, 2))
    return _fitted(silhouette_outline() @ bend)


_KINDS: tuple[tuple[Callable[[Rng], Outline], float], ...] = (
    (blob, 0.38),
    (_polygon, 0.22),
    (_island, 0.25),
    (_ribbon, 0.08),
    (_horse, 0.07),
)


def outline(rng: Rng) -> Outline:
    """A random outline whose longer side runs from -1 to 1."""
    kinds, weights = zip(*_KINDS, strict=True)
    return kinds[int(rng.choice(len(kinds), p=weights))](rng)
