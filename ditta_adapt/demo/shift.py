"""A visible, seeded shift for clean videos: what a cheap, moving camera in poor light would add.

The order is that of a camera: motion blur (while the shutter is open), colour cast and exposure,
then sensor noise. All of it scales with one severity; severity 0 changes nothing.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.optional import require

cv2 = require("cv2")

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShiftParams:
    """How strong each part of the shift is at severity 1.

    Attributes:
        blur: length of the motion blur in pixels of a 320 pixel wide frame.
        drift: amplitude of the slow exposure drift, in stops.
        flicker: standard deviation of the exposure from frame to frame, in stops.
        cast: amplitude of the colour cast of the red and blue channels, in stops.
        shot: noise that grows with the square root of brightness, in units of 1/255 at white.
        read: noise that does not depend on brightness, in units of 1/255.
    """

    blur: float = 5.0
    drift: float = 0.7
    flicker: float = 0.16
    cast: float = 0.25
    shot: float = 13.0
    read: float = 8.0


def motion_blur(frame: Frames, length: float, angle: float) -> Frames:
    """Blur along a straight line.

    Args:
        frame: uint8, shape (H, W, 3).
        length: length of the line in pixels; below 1 the frame is returned as a copy.
        angle: direction in radians.

    Returns:
        The blurred frame, uint8, shape (H, W, 3).
    """
    if length < 1:
        return frame.copy()
    half = int(np.ceil(length / 2))
    offsets = np.linspace(-length / 2, length / 2, 4 * half + 1)
    kernel = np.zeros((2 * half + 3, 2 * half + 3), np.float64)
    # Each sample of the line is spread over its four pixels, so that any length and angle works.
    for offset in offsets:
        x, y = half + 1 + offset * np.cos(angle), half + 1 + offset * np.sin(angle)
        column, row = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - column, y - row
        kernel[row, column] += (1 - fx) * (1 - fy)
        kernel[row, column + 1] += fx * (1 - fy)
        kernel[row + 1, column] += (1 - fx) * fy
        kernel[row + 1, column + 1] += fx * fy
    kernel /= kernel.sum()
    blurred = cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def expose(frame: Frames, stops: npt.ArrayLike) -> Frames:
    """Scale brightness in linear light, clipping at white.

    Args:
        frame: uint8, shape (H, W, 3).
        stops: exposure in stops (+1 doubles the light): a number, or one for each channel.

    Returns:
        The exposed frame, uint8, shape (H, W, 3).
    """
    gain = np.broadcast_to(np.exp2(np.asarray(stops, np.float64)), (3,))
    # A gain g in linear light is g^(1/2.2) on the stored values.
    steps = np.arange(256)[:, None] * gain[None] ** (1 / 2.2)
    table = np.round(np.clip(steps, 0, 255)).astype(np.uint8)
    return np.asarray(table[frame, np.arange(3)], np.uint8)


def sensor_noise(frame: Frames, shot: float, read: float, rng: np.random.Generator) -> Frames:
    """Add Gaussian noise whose variance grows with brightness.

    Args:
        frame: uint8, shape (H, W, 3).
        shot: standard deviation, in units of 1/255, that brightness adds at white.
        read: standard deviation, in units of 1/255, at black.
        rng: the source of the noise.

    Returns:
        The noisy frame, uint8, shape (H, W, 3).
    """
    sigma = np.sqrt(read**2 + shot**2 * np.arange(256) / 255).astype(np.float32)
    noise = rng.standard_normal(frame.shape, dtype=np.float32) * sigma[frame]
    return np.round(np.clip(frame + noise, 0, 255)).astype(np.uint8)


def shift_frames(
    frames: Frames, severity: float = 1.0, seed: int = 0, params: ShiftParams | None = None
) -> Frames:
    """Shift a clean video.

    Frame t of the result depends on frame t, ``severity``, ``seed`` and ``params`` alone, so a
    longer video starts with the shifted shorter one.

    Args:
        frames: a clean RGB video, uint8, shape (T, H, W, 3).
        severity: 0 for no shift, 1 for the standard one; larger values are allowed.
        seed: a non-negative seed; it picks the noise and how blur and exposure move.
        params: the strength of each part at severity 1; the defaults of `ShiftParams` if None.

    Returns:
        The shifted video, uint8, shape (T, H, W, 3); a copy.

    Raises:
        ShapeError: ``frames`` is not uint8 of shape (T, H, W, 3).
        InputError: ``severity`` is negative or not finite, or ``seed`` is negative.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ShapeError(
            f"frames must be uint8 of shape (T, H, W, 3), got {frames.dtype} {frames.shape}"
        )
    if not (isfinite(severity) and severity >= 0):
        raise InputError(f"severity must be finite and not negative, got {severity}")
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    if severity == 0:
        return frames.copy()
    p = params or ShiftParams()
    phases = np.random.default_rng([seed, 0xD21F7]).uniform(0, 2 * np.pi, 5)
    result = np.empty_like(frames)
    for t, frame in enumerate(frames):
        rng = np.random.default_rng([seed, 0xF4A3E, t])
        # The camera shakes: the blur's length and direction wander and jump a little.
        shake = 0.65 + 0.35 * np.sin(0.23 * t + phases[0]) + 0.2 * rng.standard_normal()
        angle = 0.4 * np.sin(0.11 * t + phases[1]) + 0.3 * rng.standard_normal()
        length = severity * p.blur * max(0.0, float(shake)) * frame.shape[1] / 320
        # The drift is darker on average than the clean video, as the light is poor.
        drift = p.drift * (np.sin(0.07 * t + phases[2]) - 0.5)
        stops = severity * (drift + p.flicker * rng.standard_normal())
        cast = severity * p.cast * np.sin(0.05 * t + phases[3:])
        shifted = motion_blur(frame, length, float(angle))
        shifted = expose(shifted, [stops + cast[0], stops, stops + cast[1]])
        result[t] = sensor_noise(shifted, severity * p.shot, severity * p.read, rng)
    return result
