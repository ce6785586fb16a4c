"""One view of a world: its camera, its light, and how a sprite is drawn into it."""

from math import ceil, floor, log2

import numpy as np
import numpy.typing as npt

from ditta_adapt.demo._drawing import Sprite
from ditta_adapt.demo._sprites import bank
from ditta_adapt.demo._world import BEHIND, PERIOD, Gain, World
from ditta_adapt.io.optional import require

cv2 = require("cv2")

ROAD, SIDEWALK, BUILDING, VEGETATION, SKY, FENCE, PERSON, CAR, TRUCK = range(9)

NEAR = 1.0
FAR = 170.0

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


class View:
    """An image and labels being drawn; drawing coordinates are relative to the camera."""

    def __init__(self, world: World, t: float, size: tuple[int, int]) -> None:
        self.world, self.t = world, t
        self.height, self.width = size
        self.cam_x, self.cam_z, focal, pan, horizon = world.camera.at(t)
        self.cam_h = world.camera.height
        self.f = focal * self.width
        self.cx = (0.5 + pan) * self.width
        self.cy = horizon * self.height
        self.image: Image = np.zeros((*size, 3), np.float32)
        self.labels: Labels = np.zeros(size, np.uint8)
        self.tint = np.asarray(world.light.tint, np.float32)
        self.haze = np.asarray(world.light.haze, np.float32)
        self.shade_edge = self._shade_edge()

    def relative(self, z: float) -> float:
        """How far ahead of the camera a world ``z`` is."""
        return (z - self.cam_z + BEHIND) % PERIOD - BEHIND

    def _shade_edge(self) -> npt.NDArray[np.float32]:
        """For every metre of the street, how far in x the shadow of the sunny side's row reaches.

        Positions are in world x; the shadow lies on the sun's side of the returned edge.
        """
        sun = self.world.light.sun
        index = 0 if sun > 0 else 1
        side = -1 if sun > 0 else 1
        edge = np.full(int(PERIOD), side * 1e3, np.float32)
        if sun == 0:
            return edge
        for block in self.world.buildings:
            if block.side == side:
                reach = side * self.world.facade[index] + block.height * sun
                edge[floor(block.z0) : ceil(block.z1)] = reach
        return edge

    def sunlight(self, x: float, z: float) -> float:
        """Brightness at a ground point given in world coordinates."""
        edge = float(self.shade_edge[int(z % PERIOD) % int(PERIOD)])
        depth = (edge - x) * (1 if self.world.light.sun > 0 else -1)
        lit = min(1.0, max(0.0, 0.5 - depth))
        return self.world.light.shade + (1 - self.world.light.shade) * lit

    def lit(self, gain: Gain, light: float) -> npt.NDArray[np.float32]:
        """The colour multiplier of a surface under ``light``."""
        return np.asarray(gain, np.float32) * self.tint * np.float32(light)

    def wall_gain(self, gain: Gain, side: int) -> npt.NDArray[np.float32]:
        """The colour multiplier of a wall along the street."""
        # A wall on the right faces left: it is lit when the sun is on the left (sun > 0).
        facing = max(-1.0, min(1.0, self.world.light.sun * side))
        return self.lit(gain, 0.85 + 0.2 * facing)

    def shadow(self, x: float, z: float, wide: float, long: float) -> None:
        """A soft dark patch on the ground, pushed away from the sun."""
        if z > 45 or z - long / 2 < NEAR:
            return
        x += 0.3 * wide * self.world.light.sun
        near_v, far_v = (self.cy + self.f * self.cam_h / d for d in (z - long / 2, z + long / 2))
        half = self.f * wide / 2 / z
        u = self.cx + self.f * x / z
        self._affine(bank().shadow, (u - half, far_v, u + half, near_v), z, self.tint, None, False)

    def billboard(
        self,
        sprite: Sprite,
        box: tuple[float, float, float],
        z: float,
        gain: npt.NDArray[np.float32],
        label: int,
        flip: bool = False,
    ) -> None:
        """An upright sprite facing the camera; ``box`` is (x of its centre, width, height)."""
        x, wide, tall = box
        scale = self.f / z
        u0, u1 = self.cx + (x - wide / 2) * scale, self.cx + (x + wide / 2) * scale
        bottom = self.cy + self.cam_h * scale
        self._affine(sprite, (u0, bottom - tall * scale, u1, bottom), z, gain, label, flip)

    def _affine(
        self,
        sprite: Sprite,
        rect: tuple[float, float, float, float],
        z: float,
        gain: npt.NDArray[np.float32],
        label: int | None,
        flip: bool,
    ) -> None:
        u0, v0, u1, v1 = rect
        if u1 - u0 < 0.5 or v1 - v0 < 0.5:
            return
        full_h, full_w = sprite[0].shape[:2]
        texture = sprite[_level(sprite, max(full_w / (u1 - u0), full_h / (v1 - v0)))]
        h, w = texture.shape[:2]
        sx, sy = w / (u1 - u0), h / (v1 - v0)
        to_texture = np.array([[sx, 0, -sx * u0], [0, sy, -sy * v0], [0, 0, 1]])
        if flip:
            to_texture[0] = [-sx, 0, sx * u1]
        self._blend(texture, to_texture, rect, z, gain, label)

    def side(
        self,
        sprite: Sprite,
        x: float,
        ends: tuple[float, float],
        tall: float,
        gain: npt.NDArray[np.float32],
        label: int,
    ) -> None:
        """A wall in the plane of constant ``x``; the sprite's left edge is at depth ends[0]."""
        near, far = max(min(ends), NEAR), max(ends)
        if far <= near or abs(x) < 0.05:
            return
        u_near, u_far = self.cx + self.f * x / near, self.cx + self.f * x / far
        tops = [self.cy + self.f * (self.cam_h - tall) / d for d in (near, far)]
        bottoms = [self.cy + self.f * self.cam_h / d for d in (near, far)]
        rect = (min(u_near, u_far), min(tops), max(u_near, u_far), max(bottoms))
        middle = (near + far) / 2
        full_h, full_w = sprite[0].shape[:2]
        shrink_v = full_h * middle / (self.f * max(tall, 0.1))
        seen = max(min(rect[2], self.width) - max(rect[0], 0), 0.5)
        shrink_u = full_w / seen
        texture = sprite[_level(sprite, (shrink_v * shrink_u) ** 0.5)]
        h, w = texture.shape[:2]
        # With d = u - cx: z = f x / d, so both texture coordinates are linear over d.
        a, b = w / (ends[1] - ends[0]), h / max(tall, 1e-3)
        to_texture = np.array(
            [
                [-a * ends[0], 0, a * (self.f * x + ends[0] * self.cx)],
                [
                    b * (tall - self.cam_h),
                    b * x,
                    -b * ((tall - self.cam_h) * self.cx + self.cy * x),
                ],
                [1, 0, -self.cx],
            ]
        )
        self._blend(texture, to_texture, rect, middle, gain, label)

    def _blend(
        self,
        texture: Image,
        to_texture: npt.NDArray[np.float64],
        rect: tuple[float, float, float, float],
        z: float,
        gain: npt.NDArray[np.float32],
        label: int | None,
    ) -> None:
        """Warp a texture into the pixels of ``rect``; ``to_texture`` maps pixel edges to texels."""
        x0, y0 = max(floor(rect[0]) - 1, 0), max(floor(rect[1]) - 1, 0)
        x1, y1 = min(ceil(rect[2]) + 1, self.width), min(ceil(rect[3]) + 1, self.height)
        if x1 <= x0 or y1 <= y0:
            return
        to_pixel = np.array([[1, 0, x0 + 0.5], [0, 1, y0 + 0.5], [0, 0, 1]])
        center = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        patch = cv2.warpPerspective(
            texture,
            center @ to_texture @ to_pixel,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        alpha = patch[..., 3:]
        haze = 1 - np.exp(-z / self.world.light.haze_length).astype(np.float32)
        target = self.image[y0:y1, x0:x1]
        target *= 1 - alpha
        target += patch[..., :3] * (gain * (1 - haze))
        target += alpha * (self.haze * haze)
        if label is not None:
            self.labels[y0:y1, x0:x1][alpha[..., 0] > 0.5] = label


def _level(sprite: Sprite, shrink: float) -> int:
    return min(max(0, floor(log2(max(shrink, 1e-6)) + 0.3)), len(sprite) - 1)
