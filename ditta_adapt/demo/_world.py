"""What a procedural world holds, and where everything in it is at a time.

Lengths are metres, times are frames. ``x`` runs to the right, ``y`` up, ``z`` along the street.
The street repeats every ``PERIOD`` metres, so a world can be rendered at any time.
"""

from dataclasses import dataclass
from math import sin
from typing import Literal

Gain = tuple[float, float, float]
PERIOD = 240.0
BEHIND = 30.0
CROSS_SPAN = 44.0


@dataclass(frozen=True)
class Building:
    """A block whose facade faces the street from ``side`` (-1 left, +1 right)."""

    side: int
    z0: float
    z1: float
    height: float
    facade: int
    gain: Gain


@dataclass(frozen=True)
class Panel:
    """One fence panel along the back of a sidewalk."""

    side: int
    z0: float
    z1: float
    height: float
    style: int
    gain: Gain


@dataclass(frozen=True)
class Plant:
    """A tree or a bush, drawn as an upright sprite."""

    tree: bool
    art: int
    x: float
    z: float
    width: float
    height: float
    gain: Gain


@dataclass(frozen=True)
class Vehicle:
    """A car or truck. ``across`` vehicles move along x, the others along z, at ``speed``."""

    truck: bool
    art: int
    across: bool
    x: float
    z: float
    speed: float
    heading: int
    sway: float
    phase: float
    gain: Gain

    def position(self, t: float) -> tuple[float, float]:
        """(x, z) at time ``t``; ``z`` is not yet wrapped."""
        drift = self.sway * sin(0.03 * t + self.phase)
        if not self.across:
            return self.x, self.z + self.speed * t + drift
        span = 2 * CROSS_SPAN
        return (self.x + self.speed * t + CROSS_SPAN) % span - CROSS_SPAN, self.z


@dataclass(frozen=True)
class Walker:
    """A person who walks along the street, or back and forth over part of it."""

    art: int
    x: float
    z: float
    speed: float
    x_reach: float
    phase: float
    height: float
    gain: Gain

    def position(self, t: float) -> tuple[float, float]:
        """(x, z) at time ``t``; ``z`` is not yet wrapped."""
        swing = abs((abs(self.speed) * t / max(self.x_reach, 1.0) + self.phase) % 2 - 1)
        if self.x_reach > 0:
            side = 1 if self.x > 0 else -1
            return self.x - side * self.x_reach * swing, self.z
        return self.x, self.z + self.speed * t

    def stride(self, t: float) -> float:
        """The phase of the stride in [0, 1)."""
        return (abs(self.speed) * t / 1.4 + self.phase) % 1.0


@dataclass(frozen=True)
class CameraPath:
    """Ego motion, pan, tilt and zoom as smooth functions of time."""

    x: float
    height: float
    z: float
    speed: float
    focal: float
    horizon: float
    pan: float
    pan_rate: float
    zoom: float
    zoom_rate: float
    bob: float
    sway: float
    phase: float

    def at(self, t: float) -> tuple[float, float, float, float, float]:
        """(x, z, focal / width, pan / width, horizon / height) at time ``t``."""
        focal = self.focal * (1 + self.zoom * sin(self.zoom_rate * t + 2 * self.phase))
        pan = self.pan * sin(self.pan_rate * t + self.phase)
        horizon = self.horizon + self.bob * sin(0.6 * t + self.phase)
        x = self.x + self.sway * sin(0.05 * t + self.phase)
        return x, (self.z + self.speed * t) % PERIOD, focal, pan, horizon


@dataclass(frozen=True)
class Light:
    """Sun, sky and haze. ``sun`` is the sideways length of a shadow per metre of height."""

    sun: float
    shade: float
    tint: Gain
    zenith: Gain
    haze: Gain
    haze_length: float
    clouds: float
    cloud_shift: int


@dataclass(frozen=True)
class World:
    """Everything that a render needs; all of it follows from one seed."""

    camera: CameraPath
    light: Light
    road: float
    sidewalk: float
    facade: tuple[float, float]
    crossings: tuple[tuple[float, float], ...]
    lanes: tuple[float, ...]
    ground_gains: tuple[Gain, Gain, Gain]
    paved_yard: tuple[bool, bool]
    backdrop: tuple[float, ...]
    backdrop_class: Literal["building", "vegetation"]
    buildings: tuple[Building, ...]
    panels: tuple[Panel, ...]
    plants: tuple[Plant, ...]
    vehicles: tuple[Vehicle, ...]
    walkers: tuple[Walker, ...]
