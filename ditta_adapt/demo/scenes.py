"""Procedural street scenes with exact labels, as still images and as videos.

One world follows from one seed and can be rendered at any time, so a video is one world at
t = 0, 1, 2, ..., and a training set is many worlds at random times.
"""

import numpy as np
import numpy.typing as npt

from ditta_adapt.demo._render import render
from ditta_adapt.demo._sampling import sample_world
from ditta_adapt.demo._world import World
from ditta_adapt.errors import InputError

CLASS_NAMES: tuple[str, ...] = (
    "road",
    "sidewalk",
    "building",
    "vegetation",
    "sky",
    "fence",
    "person",
    "car",
    "truck",
)
"""The name of every label value, in order."""

PALETTE: npt.NDArray[np.uint8] = np.array(
    [
        [128, 64, 128],
        [244, 35, 232],
        [70, 70, 70],
        [107, 142, 35],
        [70, 130, 180],
        [190, 153, 153],
        [220, 20, 60],
        [0, 0, 142],
        [0, 160, 170],
    ],
    np.uint8,
)
"""An RGB colour for every label value, shape (9, 3)."""

_LATEST_START = 600.0


def _check(seed: int, size: tuple[int, int]) -> None:
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    if min(size) < 16:
        raise InputError(f"size must be (height, width), both at least 16, got {size}")


def make_world(seed: int) -> World:
    """The world of one seed, for `render_world`.

    Raises:
        InputError: ``seed`` is negative.
    """
    _check(seed, (16, 16))
    return sample_world(seed)


def render_world(
    world: World, t: float, size: tuple[int, int] = (192, 320)
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Render a world at time ``t``, counted in frames; any finite number is allowed.

    Returns:
        An RGB image, uint8, shape (H, W, 3), and its labels, uint8 in 0..8, shape (H, W).

    Raises:
        InputError: ``t`` is not finite, or ``size`` is not (H, W) with both at least 16.
    """
    _check(0, size)
    if not np.isfinite(t):
        raise InputError(f"t must be finite, got {t}")
    return render(world, float(t), size)


def render_scene(
    seed: int, size: tuple[int, int] = (192, 320)
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Render one random world at one random time; both follow from ``seed``.

    Returns:
        An RGB image, uint8, shape (H, W, 3), and its labels, uint8 in 0..8, shape (H, W).

    Raises:
        InputError: ``seed`` is negative, or ``size`` is not (H, W) with both at least 16.
    """
    _check(seed, size)
    t = np.random.default_rng([seed, 0x71AE]).uniform(0, _LATEST_START)
    return render_world(sample_world(seed), float(t), size)


def render_video(
    seed: int, num_frames: int, size: tuple[int, int] = (192, 320)
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Render one world at t = 0, 1, ..., ``num_frames`` - 1.

    A longer video of a seed starts with the shorter one.

    Returns:
        RGB frames, uint8, shape (T, H, W, 3), and their labels, uint8 in 0..8, shape (T, H, W).

    Raises:
        InputError: ``seed`` is negative, ``num_frames`` is below 1, or ``size`` is not (H, W)
            with both at least 16.
    """
    _check(seed, size)
    if num_frames < 1:
        raise InputError(f"num_frames must be at least 1, got {num_frames}")
    world = sample_world(seed)
    frames = np.empty((num_frames, *size, 3), np.uint8)
    labels = np.empty((num_frames, *size), np.uint8)
    for t in range(num_frames):
        frames[t], labels[t] = render_world(world, t, size)
    return frames, labels
