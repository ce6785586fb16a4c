"""The bank of textures and sprites that every procedural world draws from.

All art is made once, from one fixed seed, and tinted per object when it is drawn.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ditta_adapt.demo._drawing import (
    NOISE_SIZE,
    Array,
    Canvas,
    Point,
    Sprite,
    grain_of,
    gray,
    pyramid,
    tileable_noise,
    uniform,
)

_BANK_SEED = 20240517
WALK_PHASES = 8


@dataclass(frozen=True)
class VehicleArt:
    """The views of one vehicle; in ``side`` the nose is at the left.

    ``faces`` and ``lows`` hold (rear, front). Where the windscreen stands back from the bumper,
    ``lows`` has the body below the windows, and ``setbacks`` says how far back the whole face
    is drawn, as a share of the vehicle's length.
    """

    faces: tuple[Sprite, Sprite]
    lows: tuple[Sprite, Sprite] | None
    setbacks: tuple[float, float]
    side: Sprite


@dataclass(frozen=True)
class Bank:
    """Every texture and sprite; the tuples are indexed by the worlds."""

    noise: tuple[Array, ...]
    facades: tuple[Sprite, ...]
    fences: tuple[Sprite, ...]
    trees: tuple[Sprite, ...]
    bushes: tuple[Sprite, ...]
    cars: tuple[VehicleArt, ...]
    trucks: tuple[VehicleArt, ...]
    people: tuple[tuple[Sprite, ...], ...]
    shadow: Sprite


def _facade(rng: np.random.Generator, noise: Array, floors: int, style: int) -> Sprite:
    """A wall: plain, brick, banded or mostly glass, with ``floors`` rows of windows."""
    c = Canvas(128, 128)
    wall = uniform(rng, 0.8, 0.95)
    c.box(0, 0, 1, 1, gray(wall))
    if style == 1:
        for row in range(64):
            c.box(0, row / 64, 1, row / 64 + 0.004, gray(wall * 0.72))
            for col in range(16):
                x = (col + 0.5 * (row % 2)) / 16
                c.box(x, row / 64, x + 0.004, (row + 1) / 64, gray(wall * 0.72))
    columns = int(rng.integers(4, 9))
    floor_height = 0.92 / floors
    fill_x, fill_y = (0.86, 0.8) if style == 3 else (uniform(rng, 0.4, 0.6), 0.55)
    glass = uniform(rng, 0.18, 0.42)
    for floor in range(floors):
        top = 0.06 + floor * floor_height
        if style == 2:
            c.box(0, top, 1, top + 0.015, gray(wall * 0.6))
        for col in range(columns):
            x = (col + 0.5 - fill_x / 2) / columns
            w, h = fill_x / columns, fill_y * floor_height
            y = top + 0.2 * floor_height
            shade = glass * uniform(rng, 0.6, 1.4)
            lit = bool(rng.random() < 0.08)
            color = (0.9, 0.8, 0.5) if lit else (shade * 0.85, shade * 0.95, shade * 1.1)
            if floor == floors - 1 and col % 3 == 1:
                y, h = top + 0.2 * floor_height, 1 - top - 0.2 * floor_height
                color = (0.3, 0.2, 0.15)
            c.box(x - 0.008, y - 0.008, x + w + 0.008, y + h + 0.012, gray(min(1, wall * 1.15)))
            c.box(x, y, x + w, y + h, color)
            if not lit:
                c.box(x + w * 0.46, y, x + w * 0.54, y + h, gray(wall * 0.8))
    c.box(0, 0, 1, 0.035, gray(wall * uniform(rng, 0.4, 0.7)))
    return c.sprite(grain_of(rng, noise, 0.05))


def _fence(rng: np.random.Generator, noise: Array, style: int) -> Sprite:
    """One panel: boards, a railing over a dark back, or a masonry wall."""
    c = Canvas(32, 96)
    if style == 0:
        for board in range(16):
            tone = uniform(rng, 0.55, 0.8)
            c.box(board / 16, 0.06, (board + 1) / 16, 1, gray(0.25))
            c.box(board / 16, 0.02, (board + 0.85) / 16, 1, (tone, tone * 0.8, tone * 0.6))
        c.box(0, 0.25, 1, 0.32, (0.5, 0.4, 0.3))
    elif style == 1:
        c.polygon([(0, 0.05), (1, 0.05), (1, 1), (0, 1)], gray(0.14), alpha=0.75)
        for bar in range(12):
            c.box(bar / 12, 0, (bar + 0.35) / 12, 1, gray(0.75))
        c.box(0, 0.08, 1, 0.18, gray(0.8))
        c.box(0, 0.8, 1, 0.9, gray(0.8))
    else:
        c.box(0, 0, 1, 1, (0.62, 0.5, 0.45))
        for row in range(6):
            c.box(0, row / 6, 1, row / 6 + 0.03, gray(0.75))
            for col in range(8):
                x = (col + 0.5 * (row % 2)) / 8
                c.box(x, row / 6, x + 0.008, (row + 1) / 6, gray(0.75))
        c.box(0, 0, 1, 0.12, gray(0.7))
    return c.sprite(grain_of(rng, noise, 0.06))


def _foliage(rng: np.random.Generator, noise: Array, trunk: bool) -> Sprite:
    """A tree (with ``trunk``) or a bush: a heap of leafy blobs, darker below."""
    c = Canvas(128, 96) if trunk else Canvas(64, 96)
    low, radius_y = (0.62, 0.3) if trunk else (0.8, 0.35)
    if trunk:
        tone = uniform(rng, 0.22, 0.4)
        half = uniform(rng, 0.03, 0.05)
        c.polygon(
            [(0.5 - half, 1), (0.5 + half, 1), (0.5 + half / 2, 0.4), (0.5 - half / 2, 0.4)],
            (tone, tone * 0.75, tone * 0.5),
        )
    pointed = trunk and bool(rng.random() < 0.25)
    blobs = []
    for _ in range(90):
        y = uniform(rng, 0.1, low if trunk else 0.9)
        reach = 0.36 * ((y / low) if pointed else np.sqrt(max(0.1, 1 - ((y - 0.38) / 0.38) ** 2)))
        if not trunk:
            reach = 0.4 * np.sqrt(max(0.1, 1 - (1 - y) ** 2))
        blobs.append((y, 0.5 + float(reach) * uniform(rng, -1, 1)))
    for y, x in sorted(blobs, reverse=True):
        light = 1.1 - 0.6 * y + uniform(rng, -0.15, 0.15)
        color = (0.36 * light, 0.55 * light, 0.24 * light)
        size = uniform(rng, 0.04, 0.09)
        c.ellipse((x, y), (size, size * (0.75 if trunk else 1.4) * radius_y / 0.3), color)
    return c.sprite(grain_of(rng, noise, 0.2))


def _wheels(c: Canvas, centers: list[float], radius: Point) -> None:
    for x in centers:
        c.ellipse((x, 1 - radius[1]), radius, gray(0.07))
        c.ellipse((x, 1 - radius[1]), (radius[0] * 0.5, radius[1] * 0.5), gray(0.45))


def _car(rng: np.random.Generator) -> VehicleArt:
    paint, glass = gray(0.85), (0.16, 0.2, 0.25)
    roof = uniform(rng, 0.02, 0.1)
    waist = uniform(rng, 0.4, 0.48)
    views = []
    for front, low in ((False, False), (True, False), (False, True), (True, True)):
        c = Canvas(72, 88)
        c.box(0.08, 0.7, 0.24, 1, gray(0.06))
        c.box(0.76, 0.7, 0.92, 1, gray(0.06))
        if not low:
            c.polygon([(0.2, roof), (0.8, roof), (0.95, waist), (0.05, waist)], paint)
            c.polygon(
                [(0.25, roof + 0.06), (0.75, roof + 0.06), (0.87, waist), (0.13, waist)], glass
            )
        c.polygon(
            [(0.03, waist), (0.97, waist), (1, 0.6), (0.96, 0.88), (0.04, 0.88), (0, 0.6)], paint
        )
        c.box(0.05, 0.76, 0.95, 0.88, gray(0.3))
        lamp = (1.0, 0.97, 0.85) if front else (0.85, 0.1, 0.08)
        c.box(0.04, 0.54, 0.22, 0.64, lamp)
        c.box(0.78, 0.54, 0.96, 0.64, lamp)
        if front:
            c.box(0.3, 0.58, 0.7, 0.72, gray(0.15))
        c.box(0.4, 0.76, 0.6, 0.83, gray(0.95))
        views.append(c.sprite())
    tail = uniform(rng, 0.75, 0.96)
    c = Canvas(56, 128)
    c.polygon([(0.2, waist), (0.36, roof), (tail - 0.14, roof), (tail, waist)], paint)
    c.polygon(
        [(0.25, waist), (0.38, roof + 0.06), (tail - 0.16, roof + 0.06), (tail - 0.05, waist)],
        glass,
    )
    c.box(0.54, roof, 0.57, waist, paint)
    c.polygon(
        [
            (0.02, waist + 0.12),
            (0.2, waist),
            (0.97, waist - 0.02),
            (1, 0.6),
            (0.99, 0.86),
            (0.01, 0.86),
        ],
        paint,
    )
    c.box(0.02, 0.8, 0.98, 0.86, gray(0.35))
    c.box(0.01, waist + 0.13, 0.06, waist + 0.22, (1.0, 0.95, 0.8))
    c.box(0.94, waist + 0.08, 0.99, waist + 0.18, (0.8, 0.1, 0.08))
    _wheels(c, [0.2, 0.8], (0.085, 0.19))
    return VehicleArt(
        faces=(views[0], views[1]),
        lows=(views[2], views[3]),
        setbacks=(1.04 - tail, 0.24),
        side=c.sprite(),
    )


def _truck(rng: np.random.Generator) -> VehicleArt:
    box_tone, cab = gray(uniform(rng, 0.75, 0.95)), gray(0.7)
    stripe = (uniform(rng, 0.1, 0.9), uniform(rng, 0.1, 0.6), uniform(rng, 0.1, 0.9))
    rear = Canvas(96, 76)
    rear.box(0.1, 0.8, 0.28, 1, gray(0.06))
    rear.box(0.72, 0.8, 0.9, 1, gray(0.06))
    rear.box(0, 0, 1, 0.86, box_tone)
    rear.box(0.04, 0.04, 0.96, 0.78, gray(0.8))
    rear.box(0.49, 0.04, 0.51, 0.78, gray(0.3))
    rear.box(0, 0.82, 1, 0.88, gray(0.2))
    rear.box(0.03, 0.82, 0.15, 0.88, (0.85, 0.1, 0.08))
    rear.box(0.85, 0.82, 0.97, 0.88, (0.85, 0.1, 0.08))
    front = Canvas(96, 76)
    front.box(0.08, 0.8, 0.26, 1, gray(0.06))
    front.box(0.74, 0.8, 0.92, 1, gray(0.06))
    front.box(0, 0, 1, 0.6, box_tone)
    front.box(0.04, 0.14, 0.96, 0.9, cab)
    front.box(0.1, 0.22, 0.9, 0.5, (0.14, 0.18, 0.23))
    front.box(0.2, 0.6, 0.8, 0.74, gray(0.2))
    front.box(0.06, 0.76, 0.22, 0.84, (1.0, 0.97, 0.85))
    front.box(0.78, 0.76, 0.94, 0.84, (1.0, 0.97, 0.85))
    side = Canvas(80, 160)
    side.box(0.26, 0, 1, 0.82, box_tone)
    top = uniform(rng, 0.2, 0.5)
    side.box(0.26, top, 1, top + 0.18, stripe)
    for rib in range(6):
        x = 0.26 + 0.74 * rib / 6
        side.box(x, 0, x + 0.008, 0.82, gray(0.45))
    side.polygon([(0.01, 0.45), (0.06, 0.14), (0.25, 0.14), (0.25, 0.86), (0.0, 0.86)], cab)
    side.polygon([(0.04, 0.46), (0.08, 0.22), (0.19, 0.22), (0.19, 0.46)], (0.14, 0.18, 0.23))
    side.box(0.2, 0.8, 0.98, 0.88, gray(0.18))
    _wheels(side, [0.14, 0.72, 0.86], (0.06, 0.125))
    return VehicleArt((rear.sprite(), front.sprite()), None, (0.0, 0.0), side.sprite())


def _person(rng: np.random.Generator) -> tuple[Sprite, ...]:
    """One walker in every phase of a stride."""
    skin_tone = uniform(rng, 0.35, 0.9)
    skin = (skin_tone, skin_tone * 0.78, skin_tone * 0.62)
    hair = gray(uniform(rng, 0.05, 0.4))
    red, green, blue = (uniform(rng, 0.1, 0.95) for _ in range(3))
    shirt = (red, green, blue)
    sleeve = (red * 0.8, green * 0.8, blue * 0.8)
    legs = gray(uniform(rng, 0.08, 0.5))
    bulk = uniform(rng, 0.13, 0.19)
    phases = []
    for phase in range(WALK_PHASES):
        swing = 0.2 * float(np.sin(2 * np.pi * phase / WALK_PHASES))
        c = Canvas(80, 40)
        c.limb(
            (0.5, 0.52), (0.5 - swing, 0.96), 0.17, (legs[0] * 0.8, legs[1] * 0.8, legs[2] * 0.8)
        )
        c.limb((0.5, 0.52), (0.5 + swing, 0.96), 0.17, legs)
        c.limb((0.5, 0.22), (0.5 - bulk * 1.2 - swing / 2, 0.5), 0.11, sleeve)
        c.polygon(
            [(0.5 - bulk, 0.17), (0.5 + bulk, 0.17), (0.5 + bulk, 0.56), (0.5 - bulk, 0.56)], shirt
        )
        c.limb((0.5, 0.22), (0.5 + bulk * 1.2 + swing / 2, 0.5), 0.11, sleeve)
        c.ellipse((0.5, 0.085), (0.13, 0.075), hair)
        c.ellipse((0.52, 0.1), (0.1, 0.06), skin)
        phases.append(c.sprite())
    return tuple(phases)


def _soft_shadow() -> Sprite:
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    alpha = np.clip(1.3 * (1 - np.sqrt(x * x + y * y)), 0, 1).astype(np.float32) * 0.55
    black = np.zeros_like(alpha)
    return pyramid(np.asarray(np.dstack([black, black, black, alpha]), np.float32))


@lru_cache(maxsize=1)
def bank() -> Bank:
    """Build the art once per process; the result depends on nothing but this file."""
    rng = np.random.default_rng(_BANK_SEED)
    noise = tuple(tileable_noise(rng, NOISE_SIZE, cells, 6) for cells in (4, 8, 16, 32))
    fine = noise[2]
    return Bank(
        noise=noise,
        facades=tuple(
            _facade(rng, fine, floors, style) for floors in range(2, 7) for style in range(4)
        ),
        fences=tuple(_fence(rng, fine, style) for style in (0, 1, 2, 0, 1, 2)),
        trees=tuple(_foliage(rng, noise[1], True) for _ in range(12)),
        bushes=tuple(_foliage(rng, noise[1], False) for _ in range(6)),
        cars=tuple(_car(rng) for _ in range(8)),
        trucks=tuple(_truck(rng) for _ in range(5)),
        people=tuple(_person(rng) for _ in range(20)),
        shadow=_soft_shadow(),
    )
