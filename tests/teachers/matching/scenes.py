"""Squares on a background that keeps still."""

import numpy as np


def square(frame: np.ndarray, y: int, x: int, colour: tuple[int, int, int]) -> np.ndarray:
    """The frame with a square of 12 pixels; what of it is inside."""
    before = frame.copy()
    frame[max(y, 0) : max(y + 12, 0), max(x, 0) : max(x + 12, 0)] = colour
    return (frame != before).any(axis=2)


def background() -> np.ndarray:
    noise = np.random.default_rng(0).integers(90, 130, (12, 16, 3), dtype=np.uint8)
    return noise.repeat(4, axis=0).repeat(4, axis=1)
