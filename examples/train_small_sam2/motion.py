"""Paths over time: of the camera, of objects, and out of sight and back.

Lengths are shares of the frame's side, with (0, 0) at its centre.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.sprites import Matrix, similarity
from examples.train_small_sam2.textures import Rng

Track = npt.NDArray[np.float64]
"""One row a frame."""


def _drift(rng: Rng, frames: int, rate: float) -> Track:
    """A number that starts at 0 and changes by about ``rate`` a frame, one way for a while."""
    step, steps = rng.normal(), np.zeros(frames)
    for t in range(1, frames):
        step = 0.9 * step + 0.43 * rng.normal()
        steps[t] = step
    return np.cumsum(steps) * rate


def _folded(values: Track, limit: float) -> Track:
    """Values reflected at -limit and limit."""
    return limit - np.abs((values + limit) % (4 * limit) - 2 * limit)


def wander(rng: Rng, frames: int, start: tuple[float, float], speed: float, limit: float) -> Track:
    """A path, shape (T, 2), at about ``speed`` a frame, that turns back at ``limit``."""
    heading = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.cos(heading), 0.7 * np.sin(heading)])
    path = np.empty((frames, 2))
    path[0] = start
    for t in range(1, frames):
        velocity = velocity * rng.uniform(0.85, 1.15) + rng.normal(0, 0.2 * speed, 2)
        velocity *= min(1.0, 0.12 / max(float(np.hypot(*velocity)), 1e-9))
        path[t] = path[t - 1] + velocity
    return _folded(path, limit)


@dataclass
class Motion:
    """Where one thing is, and how large and how turned, in every frame."""

    position: Track
    scale: Track
    angle: Track
    squeeze: Track
    mirror: float
    follows_camera: bool

    def place(self, t: int) -> Matrix:
        """Body to world (or to frame, if the thing does not follow the camera) at frame ``t``."""
        x, y = self.position[t]
        stretch = np.diag([self.mirror * self.squeeze[t], 1.0, 1.0])
        return similarity(x, y, self.angle[t], self.scale[t]) @ stretch


def move(
    rng: Rng,
    frames: int,
    extent: float,
    *,
    start: tuple[float, float],
    calm: bool = False,
    upright: bool = True,
    follows_camera: bool = False,
) -> Motion:
    """A random motion of something ``extent`` frame sides long; ``calm`` things hardly move."""
    speed = 0.0 if calm else min(0.12, float(rng.lognormal(np.log(0.018), 0.9)))
    pace = 0.004 if calm else float(rng.choice([0.004, 0.015, 0.035]))
    spin = (
        0.005
        if calm
        else float(rng.choice([0.01, 0.03]))
        if upright
        else float(rng.choice([0.02, 0.08, 0.2]))
    )
    zoom = np.clip(np.exp(_drift(rng, frames, pace)), 0.45, 2.2)
    tilt = rng.normal(0, 0.12) if upright else rng.uniform(0, 2 * np.pi)
    turn = rng.uniform(0, 0.25) * np.sin(
        rng.uniform(0.02, 0.25) * np.arange(frames) + rng.uniform(0, 6)
    )
    return Motion(
        wander(rng, frames, start, speed, 0.45),
        extent / 2 * zoom,
        tilt + _drift(rng, frames, spin),
        1 - np.abs(turn) if rng.random() < 0.5 else np.ones(frames),
        float(rng.choice([-1, 1])),
        follows_camera,
    )


@dataclass
class Camera:
    """World to frame, in every frame."""

    pan: Track
    zoom: Track
    roll: Track

    def place(self, t: int) -> Matrix:
        """The map at frame ``t``."""
        return similarity(0, 0, self.roll[t], self.zoom[t]) @ similarity(*self.pan[t], 0, 1)


def hold_camera(rng: Rng, frames: int) -> Camera:
    """A still, panning, zooming or shaking camera."""
    if rng.random() < 0.2:
        return Camera(np.zeros((frames, 2)), np.ones(frames), np.zeros(frames))
    speed = min(0.08, float(rng.lognormal(np.log(0.008), 0.9)))
    pan = wander(rng, frames, tuple(rng.uniform(-0.1, 0.1, 2)), speed, 0.3)
    pan += rng.normal(0, rng.choice([0, 0.002, 0.006]), (frames, 2))
    zoom = np.clip(np.exp(_drift(rng, frames, rng.choice([0.001, 0.006, 0.02]))), 0.8, 1.5)
    return Camera(pan, zoom, _drift(rng, frames, rng.choice([0.001, 0.006, 0.02])))


@dataclass
class Absence:
    """The frames, from ``first`` up to ``last``, in which something cannot be seen."""

    first: int
    last: int

    def away(self, frames: int, ramp: int) -> Track:
        """0 where the thing is in its place, 1 where it is gone, between over ``ramp`` frames."""
        t = np.arange(frames)
        before, after = self.first - t, t - self.last
        return np.clip(1 - np.maximum(np.maximum(before, after), 0) / ramp, 0, 1)


def draw_absence(rng: Rng, frames: int) -> Absence:
    """A time out of sight that starts after the first frame and may last to the end."""
    first = int(rng.integers(1, frames))
    longest = 3 + frames // 8
    return Absence(first, min(frames - 1, first + int(rng.integers(0, longest))))


def leave_frame(rng: Rng, motion: Motion, absence: Absence, radius: float) -> None:
    """Make a thing, at most ``radius`` around its place, leave the frame and maybe come back."""
    frames = len(motion.position)
    motion.follows_camera = False
    axis, side = int(rng.integers(2)), float(rng.choice([-1, 1]))
    ramp = int(rng.integers(1, max(2, min(absence.first, 6) + 1)))
    away = absence.away(frames, ramp)
    inner = motion.position[:, axis] - motion.position[absence.first, axis]
    inner = side * (0.5 - radius * rng.uniform(0.0, 0.7)) + inner * 0.5
    outer = side * (0.53 + radius)
    motion.position[:, axis] = (1 - away) * inner + away * outer


def hide_behind(
    rng: Rng, hidden: Motion, screen: Motion, absence: Absence, widths: tuple[float, float]
) -> None:
    """Make ``screen`` stand before ``hidden`` during the absence: one moves past the other.

    ``widths`` are half the widths of the hidden thing and of the screen.
    """
    frames = len(hidden.position)
    hidden.follows_camera = screen.follows_camera = False
    t = np.arange(frames)
    outside = np.minimum(t - absence.first, 0) + np.maximum(t - absence.last, 0)
    apart = sum(widths)
    step = apart * rng.uniform(0.5, 1.1) / max(1, min(absence.first, int(rng.integers(1, 7))))
    offset = float(rng.choice([-1, 1])) * outside * step
    if rng.random() < 0.5:
        screen.position[:, 0] = hidden.position[:, 0] + offset
    else:
        centre = rng.uniform(-0.3, 0.3)
        screen.position[:, 0] = centre + 0.1 * (hidden.position[:, 0] - hidden.position[0, 0])
        hidden.position[:, 0] = screen.position[:, 0] + np.clip(offset, -0.6, 0.6)
    screen.position[:, 1] = hidden.position[:, 1]
