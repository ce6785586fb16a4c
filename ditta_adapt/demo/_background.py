"""The background of a view: sky, skyline and ground."""

from itertools import pairwise
from math import ceil

import numpy as np
import numpy.typing as npt

from ditta_adapt.demo._drawing import NOISE_SIZE
from ditta_adapt.demo._sprites import bank
from ditta_adapt.demo._view import (
    BUILDING,
    FAR,
    ROAD,
    SIDEWALK,
    SKY,
    VEGETATION,
    Image,
    View,
)
from ditta_adapt.demo._world import PERIOD, World


def draw_sky(view: View) -> None:
    """Fill everything above the horizon."""
    light, noise = view.world.light, bank().noise
    rows = min(view.height, ceil(view.cy) + 1)
    up = np.clip((view.cy - np.arange(rows)) / (0.5 * view.height), 0, 1).astype(np.float32)
    zenith = np.asarray(light.zenith, np.float32)
    sky = view.haze + up[:, None, None] ** 0.7 * (zenith - view.haze)
    # Clouds and skyline are at infinity: they move with pan, tilt and zoom only.
    angle = (np.arange(view.width) + 0.5 - view.cx) / view.f
    climb = (np.arange(rows) + 0.5 - view.cy) / view.f
    columns = (angle * 130 + light.cloud_shift).astype(np.int64) % NOISE_SIZE
    cloud = noise[0][np.ix_((climb * 260).astype(np.int64) % NOISE_SIZE, columns)]
    cover = (np.clip(0.5 * cloud + light.clouds - 0.3, 0, 0.85) * up[:, None])[..., None]
    view.image[:rows] = sky * (1 - cover) + cover * np.float32(0.96)
    view.labels[:rows] = SKY
    profile = np.asarray(view.world.backdrop, np.float32)
    tops = profile[(angle * 110).astype(np.int64) % profile.size]
    built = view.world.backdrop_class == "building"
    base = np.array([0.42, 0.43, 0.47] if built else [0.28, 0.38, 0.26], np.float32)
    far = 0.45 * view.haze + 0.55 * base * view.tint
    mask = climb[:, None] >= -tops[None]
    rough = noise[3][np.ix_((climb * 400).astype(np.int64) % NOISE_SIZE, columns)]
    view.image[:rows][mask] = far * (1 + 0.06 * rough[mask][:, None])
    view.labels[:rows][mask] = BUILDING if built else VEGETATION


def draw_ground(view: View) -> None:
    """Fill everything below the horizon."""
    w, light, noise = view.world, view.world.light, bank().noise
    start = max(0, ceil(view.cy - 0.5 + 1e-6))
    if start >= view.height:
        return
    v = np.arange(start, view.height, dtype=np.float32) + np.float32(0.5)
    z = (view.f * view.cam_h / np.maximum(v - view.cy, 0.05)).astype(np.float32)
    u = np.arange(view.width, dtype=np.float32) + np.float32(0.5 - view.cx)
    x = u[None] * (z / view.f)[:, None] + np.float32(view.cam_x)
    world_z = (z + np.float32(view.cam_z)) % PERIOD
    crossing = np.zeros(z.shape, bool)
    for low, high in w.crossings:
        crossing |= (world_z >= low) & (world_z < high) & (z < FAR)
    ax = np.abs(x)
    region = np.full(x.shape, 2, np.uint8)
    region[ax < w.sidewalk] = 1
    for index, side in enumerate((-1, 1)):
        if w.paved_yard[index]:
            region[x * side >= w.sidewalk] = 1
    region[(ax < w.road) | crossing[:, None]] = 0
    gains = np.asarray(w.ground_gains, np.float32)
    fade = np.minimum(1, 14 / z)[:, None].astype(np.float32)
    iz = (world_z * (NOISE_SIZE / 12)).astype(np.int64) % NOISE_SIZE
    ix = (x * (NOISE_SIZE / 12)).astype(np.int64) % NOISE_SIZE
    grain = noise[2][iz[:, None], ix] * fade
    value = 1 + np.array([0.06, 0.05, 0.22], np.float32)[region] * grain
    pixel = (z / view.f)[:, None]
    value += _paint(w, x, z, world_z, pixel, crossing) * (region == 0)
    slab = np.minimum(x % 1.2, (world_z % 1.2)[:, None])
    value -= 0.22 * fade * (slab < 0.06) * (region == 1)
    curb = np.abs(ax - w.road) < np.maximum(0.1, 0.5 * pixel)
    value += 0.2 * (curb & ~crossing[:, None])
    if light.sun != 0:
        edge = view.shade_edge[world_z.astype(np.int64) % int(PERIOD)][:, None]
        depth = (edge - x) * np.float32(1 if light.sun > 0 else -1)
        value *= 1 - (1 - light.shade) * np.clip(depth + 0.5, 0, 1)
    color = gains[region] * (value[..., None] * view.tint)
    haze = (1 - np.exp(-z / light.haze_length))[:, None, None].astype(np.float32)
    view.image[start:] = color * (1 - haze) + haze * view.haze
    view.labels[start:] = np.array([ROAD, SIDEWALK, VEGETATION], np.uint8)[region]


def _paint(
    world: World, x: Image, z: Image, world_z: Image, pixel: Image, crossing: npt.NDArray[np.bool_]
) -> Image:
    """Lane marks and crosswalks, faded where they are thinner than a pixel."""
    lanes = world.lanes
    marks = np.zeros_like(x)
    between = [(a + b) / 2 for a, b in pairwise(lanes)]
    for line in between:
        cover = np.clip(0.5 + (0.09 - np.abs(x - line)) / pixel, 0, np.minimum(1, 0.18 / pixel))
        dashed = (world_z % 6 < 3) if line != 0 or len(lanes) == 2 else np.ones(z.shape, bool)
        marks += cover * (dashed & ~crossing)[:, None]
    for low, _ in world.crossings:
        walk = (world_z > low - 3.4) & (world_z < low - 0.6) & (z < 60)
        marks += (walk[:, None] & (x % 1.0 < 0.5) & (np.abs(x) < world.road - 0.3)) * 0.9
    return np.asarray(1.1 * marks, np.float32)
