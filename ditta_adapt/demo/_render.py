"""Rendering of one world at one time: a background and depth-sorted sprites, with exact labels."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ditta_adapt.demo._background import draw_ground, draw_sky
from ditta_adapt.demo._drawing import Sprite
from ditta_adapt.demo._sprites import WALK_PHASES, bank
from ditta_adapt.demo._view import (
    BUILDING,
    CAR,
    FAR,
    FENCE,
    NEAR,
    PERSON,
    TRUCK,
    VEGETATION,
    Labels,
    View,
)
from ditta_adapt.demo._world import Gain, Vehicle, World
from ditta_adapt.io.optional import require

cv2 = require("cv2")

_RISE = 30.0
_PERSON_FAR = 80.0
_CAR_SIZE = (1.8, 1.5, 4.2)
_TRUCK_SIZE = (2.4, 3.1, 7.5)

Item = tuple[float, Callable[[], None]]


def _rise(z: float, far: float) -> float:
    """Share of its height that an object at depth ``z`` shows: it comes up over the horizon."""
    return min(1.0, max(0.0, (far - z) / _RISE))


def render(world: World, t: float, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], Labels]:
    """(image, labels) of a world at time ``t``."""
    view = View(world, t, size)
    draw_sky(view)
    draw_ground(view)
    for _, draw in sorted(_Standing(view).items(), key=lambda item: -item[0]):
        draw()
    soft = np.clip(cv2.GaussianBlur(view.image, (3, 3), 0.5), 0, 1)
    return np.round(soft * 255).astype(np.uint8), view.labels


class _Standing:
    """The draw calls of everything that stands on the ground."""

    def __init__(self, view: View) -> None:
        self.view, self.world, self.t = view, view.world, view.t

    def items(self) -> Iterator[Item]:
        """(sort depth, draw) of everything that stands on the ground in view."""
        w, art = self.world, bank()
        for block in w.buildings:
            near = self.view.relative(block.z0)
            far = near + block.z1 - block.z0
            if far > NEAR and near < FAR:
                wall = block.side * w.facade[block.side > 0] - self.view.cam_x
                outer = wall + block.side * 14.0
                gain = self.view.wall_gain(block.gain, block.side)
                tall = block.height * _rise(near, FAR)
                sprite = art.facades[block.facade]
                yield far, self._draw_block(sprite, (wall, outer), (near, far), tall, gain)
        for panel in w.panels:
            near = self.view.relative(panel.z0)
            far = near + panel.z1 - panel.z0
            if far > NEAR and near < 90:
                x = panel.side * w.sidewalk - self.view.cam_x
                gain = self.view.wall_gain(panel.gain, panel.side)
                tall = panel.height * _rise(near, 90)
                yield far, self._side_call(art.fences[panel.style], x, near, far, tall, gain, FENCE)
        for plant in w.plants:
            z = self.view.relative(plant.z)
            if NEAR < z < FAR:
                sprite = (art.trees if plant.tree else art.bushes)[plant.art]
                # Yard plants sort behind the fence panel (4 m long) that they stand next to.
                depth = z + (4 if abs(plant.x) > w.sidewalk else 0)
                box = (plant.x, plant.width, plant.height * _rise(z, FAR))
                yield depth, self._upright(sprite, box, z, plant.gain, VEGETATION)
        for vehicle in w.vehicles:
            yield from self._vehicle_items(vehicle)
        for walker in w.walkers:
            x, world_z = walker.position(self.t)
            z = self.view.relative(world_z)
            if NEAR < z < _PERSON_FAR:
                phase = int(walker.stride(self.t) * WALK_PHASES) % WALK_PHASES
                tall = walker.height * _rise(z, _PERSON_FAR)
                box = (x, walker.height / 2, tall)
                yield z, self._upright(art.people[walker.art][phase], box, z, walker.gain, PERSON)

    def _vehicle_items(self, vehicle: Vehicle) -> Iterator[Item]:
        x, world_z = vehicle.position(self.t)
        z = self.view.relative(world_z)
        wide, tall, long = _TRUCK_SIZE if vehicle.truck else _CAR_SIZE
        label = TRUCK if vehicle.truck else CAR
        views = (bank().trucks if vehicle.truck else bank().cars)[vehicle.art]
        if not -long < z < FAR - 1:
            return
        tall *= _rise(z, FAR)
        if vehicle.across:
            if z > NEAR:
                flip = vehicle.heading > 0
                box = (x, long, tall)
                yield z, self._upright(views.side, box, z, vehicle.gain, label, flip=flip)
            return

        def draw() -> None:
            center = x - self.view.cam_x
            light = self.view.sunlight(x, world_z)
            gain = self.view.lit(vehicle.gain, light)
            if z > NEAR:
                self.view.shadow(center, z + long / 2, wide * 1.5, long * 1.3)
            if abs(center) > wide / 2:
                flank = center - wide / 2 if center > 0 else center + wide / 2
                nose_near = vehicle.heading < 0
                ends = (z, z + long) if nose_near else (z + long, z)
                self.view.side(views.side, flank, ends, tall, gain * np.float32(0.82), label)
            if z > NEAR:
                front = vehicle.heading < 0
                box, set_back = (center, wide, tall), z + views.setbacks[front] * long
                self.view.billboard(views.faces[front], box, set_back, gain, label)
                if views.lows is not None:
                    self.view.billboard(views.lows[front], box, z, gain, label)

        yield z, draw

    def _upright(
        self,
        sprite: Sprite,
        box: tuple[float, float, float],
        z: float,
        gain: Gain,
        label: int,
        flip: bool = False,
    ) -> Callable[[], None]:
        """A draw call for a billboard; ``box`` is (world x of its centre, width, height)."""
        x, wide, tall = box

        def draw() -> None:
            light = self.view.sunlight(x, z + self.view.cam_z)
            center = x - self.view.cam_x
            self.view.shadow(center, z, wide * 1.2, wide * 0.8)
            self.view.billboard(
                sprite, (center, wide, tall), z, self.view.lit(gain, light), label, flip
            )

        return draw

    def _draw_block(
        self,
        sprite: Sprite,
        walls: tuple[float, float],
        ends: tuple[float, float],
        tall: float,
        gain: npt.NDArray[np.float32],
    ) -> Callable[[], None]:
        def draw() -> None:
            wall, outer = walls
            if ends[0] > NEAR:
                box = ((wall + outer) / 2, abs(outer - wall), tall)
                self.view.billboard(sprite, box, ends[0], gain * np.float32(0.8), BUILDING)
            self.view.side(sprite, wall, ends, tall, gain, BUILDING)

        return draw

    def _side_call(
        self,
        sprite: Sprite,
        x: float,
        near: float,
        far: float,
        tall: float,
        gain: npt.NDArray[np.float32],
        label: int,
    ) -> Callable[[], None]:
        return lambda: self.view.side(sprite, x, (near, far), tall, gain, label)
