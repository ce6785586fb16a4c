"""Random textures: crops of photographs with changed colours, and procedural ones."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from ditta_adapt.demo.scenes import render_scene
from examples.train_small_sam2.photos import PHOTOS, Image, photo_pyramid

Rng = np.random.Generator
Field = npt.NDArray[np.float32]
"""One value a pixel, shape (H, W)."""

_FIRST_SCENE = 2_000_000
_SCENES = 48
_scenes: dict[int, Image] = {}


def fractal(
    rng: Rng, side: int, *, cells: float, roughness: float = 0.5, stretch: float = 1.0
) -> Field:
    """Noise of several octaves, about -1..1, (side, side), with ``cells`` cells across at first."""
    total = np.zeros((side, side), np.float32)
    gain = 1.0
    while cells < side and gain > 0.06:
        rows, columns = max(2, round(cells / stretch) + 1), max(2, round(cells * stretch) + 1)
        grid = rng.uniform(-1, 1, (min(rows, side), min(columns, side))).astype(np.float32)
        total += gain * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        cells, gain = cells * 2, gain * roughness
    return total


def palette(rng: Rng, count: int) -> npt.NDArray[np.float32]:
    """``count`` colours, float32 in 0..255: of a spot of a photograph, or around a random one."""
    if rng.random() < 0.5:
        small = photo_pyramid(int(rng.integers(len(PHOTOS))))[-1]
        height, width = small.shape[:2]
        reach = rng.integers(4, 40)
        rows = np.clip(rng.integers(height) + rng.integers(-reach, reach + 1, count), 0, height - 1)
        columns = np.clip(
            rng.integers(width) + rng.integers(-reach, reach + 1, count), 0, width - 1
        )
        colours = small[rows, columns].astype(np.float32)
        return np.clip(colours * rng.uniform(0.7, 1.4, 3), 0, 255).astype(np.float32)
    base = rng.uniform(20, 235) + rng.normal(0, rng.choice([8, 20, 45]), 3)
    spread = rng.choice([12, 30, 60])
    light = rng.normal(0, spread, (count, 1)) + rng.normal(0, spread / 3, (count, 3))
    return np.clip(base + light, 0, 255).astype(np.float32)


def _coloured(rng: Rng, field: Field, stops: int | None = None) -> Image:
    """A field of about -1..1 through a ramp of random colours."""
    count = stops or int(rng.integers(2, 6))
    ramp, at = palette(rng, count), np.linspace(0, 255, count)
    table = np.stack([np.interp(np.arange(256), at, ramp[:, c]) for c in range(3)], axis=1)
    levels = np.clip(field * 110 + 128, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge([levels] * 3), table.astype(np.uint8)[None])


def _grid(rng: Rng, side: int, bend: float) -> tuple[Field, Field]:
    """Rotated coordinates of about -1..1, bent by noise."""
    x = np.linspace(-1, 1, side, dtype=np.float32)
    y = x[:, None]
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    wave = np.float32(bend) * fractal(rng, side, cells=rng.uniform(2, 4), roughness=0.3)
    return cos * x + sin * y + wave, cos * y - sin * x + wave[::-1]


def _cloudy(rng: Rng, side: int) -> Image:
    field = fractal(rng, side, cells=rng.uniform(1.5, 10), roughness=rng.uniform(0.4, 0.75))
    if rng.random() < 0.3:
        field = 1 - 2 * np.abs(field)
    return _coloured(rng, field)


def _directional(rng: Rng, side: int) -> Image:
    """Grass, fur or wood: noise much finer across than along, turned."""
    wide = int(side * 1.45)
    field = fractal(
        rng,
        wide,
        cells=rng.uniform(4, 16),
        roughness=rng.uniform(0.6, 0.9),
        stretch=rng.uniform(1.5, 4),
    )
    turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), rng.uniform(0, 360), 1.0)
    turn[:, 2] -= (wide - side) / 2
    return _coloured(rng, cv2.warpAffine(field, turn, (side, side), borderMode=cv2.BORDER_REFLECT))


def _stripes(rng: Rng, side: int) -> Image:
    u, v = _grid(rng, side, rng.uniform(0, 0.35))
    wave = np.sin(u * rng.uniform(4, 40))
    if rng.random() < 0.3:
        wave = wave * np.sin(v * rng.uniform(4, 40))
    sharp = np.tanh(wave * rng.uniform(1, 8))
    return _coloured(rng, 0.8 * sharp + 0.25 * fractal(rng, side, cells=8, roughness=0.7), 3)


def _spots(rng: Rng, side: int) -> Image:
    field = fractal(rng, side, cells=rng.uniform(5, 16), roughness=0.3)
    sharp = np.tanh((np.abs(field) - rng.uniform(0.15, 0.4)) * rng.uniform(6, 20))
    return _coloured(rng, 0.7 * sharp + 0.3 * fractal(rng, side, cells=6, roughness=0.7), 3)


def _patches(rng: Rng, side: int) -> Image:
    """Flat cells around random points, each with a colour and a slight grain."""
    small, count = max(16, side // 2), int(rng.integers(5, 24))
    points = rng.uniform(-1, 1, (count, 2, 1, 1)).astype(np.float32)
    u, v = _grid(rng, small, 0.15)
    cell = np.argmin((u - points[:, 0]) ** 2 + (v - points[:, 1]) ** 2, axis=0)
    flat = cv2.resize(palette(rng, count)[cell], (side, side), interpolation=cv2.INTER_LINEAR)
    grain = fractal(rng, side, cells=10, roughness=0.7)[..., None] * rng.uniform(3, 20)
    return np.clip(flat + grain, 0, 255).astype(np.uint8)


def _bricks(rng: Rng, side: int) -> Image:
    u, v = _grid(rng, side, rng.uniform(0, 0.05))
    rows = rng.uniform(3, 10)
    row = np.floor(v * rows)
    column = u * rows * rng.uniform(0.3, 1) + row * 0.5
    joint = (np.abs(v * rows - row - 0.5) > 0.43) | (np.abs(column - np.floor(column) - 0.5) > 0.46)
    tone = np.sin(row * 12.9 + np.floor(column) * 78.2) * rng.uniform(0.1, 0.5)
    field = np.where(joint, np.float32(rng.choice([-1, 1])), tone)
    return _coloured(
        rng, (field + 0.3 * fractal(rng, side, cells=10, roughness=0.8)).astype(np.float32)
    )


def _gradient(rng: Rng, side: int) -> Image:
    u, _ = _grid(rng, side, rng.uniform(0, 0.3))
    return _coloured(rng, u + rng.uniform(0, 0.15) * fractal(rng, side, cells=12, roughness=0.8))


def _leaves(rng: Rng, side: int) -> Image:
    """Opaque patches of all sizes over each other, large ones first: foliage, crowds, clutter."""
    image = _cloudy(rng, side)
    count = int(rng.integers(40, 130))
    colours = np.concatenate([palette(rng, count // 2), palette(rng, count - count // 2)])
    rng.shuffle(colours)
    radii = np.sort(side * 0.012 * (1 - rng.random(count) * 0.97) ** -1)[::-1]
    centres = rng.uniform(0, side, (count, 2))
    axes, turns = rng.uniform(0.3, 1, count), rng.uniform(0, 180, count)
    for (x, y), r, axis, turn, colour in zip(
        centres * 16, np.minimum(radii, side * 0.3) * 16, axes, turns, colours.tolist(), strict=True
    ):
        cv2.ellipse(
            image,
            (int(x), int(y)),
            (int(r), int(r * axis) + 8),
            turn,
            0,
            360,
            colour,
            -1,
            cv2.LINE_AA,
            4,
        )
    return image


def _photo(rng: Rng, side: int) -> Image:
    """A turned, scaled and perhaps mirrored crop of a photograph, in changed colours."""
    levels = photo_pyramid(int(rng.integers(len(PHOTOS))))
    height, width = levels[0].shape[:2]
    span = min(height, width) * np.exp(rng.uniform(np.log(0.15), np.log(0.95)))
    level = int(np.clip(np.floor(np.log2(max(span / side, 1.0)) + 0.3), 0, len(levels) - 1))
    zoom = span / side / 2**level
    turn = rng.normal(0, 0.15) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    flip = rng.choice([-1, 1])
    x = rng.uniform(span / 2, width - span / 2) / 2**level
    y = rng.uniform(span / 2, height - span / 2) / 2**level
    back = np.array([[cos * flip, -sin, x], [sin * flip, cos, y]])
    back[:, 2] -= back[:, :2] @ [side / 2, side / 2]
    crop = cv2.warpAffine(
        levels[level],
        back,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return recolour(rng, crop)


def recolour(rng: Rng, image: Image, strength: float = 1.0) -> Image:
    """Random saturation, hue, contrast and brightness; grey images may get a tint."""
    grey = np.full((3, 3), 1 / 3)
    keep = rng.uniform(1 - 0.5 * strength, 1 + 0.4 * strength)
    hue = np.eye(3) + rng.normal(0, 0.07 * strength, (3, 3))
    if rng.random() < 0.08 * strength:
        hue = hue[rng.permutation(3)]
    mix = (keep * np.eye(3) + (1 - keep) * grey) @ hue
    mix *= (
        rng.uniform(1 - 0.45 * strength, 1 + 0.25 * strength) / np.maximum(mix.sum(1), 0.5)[:, None]
    )
    mix *= rng.uniform(1 - 0.2 * strength, 1 + 0.2 * strength, (3, 1))
    shift = rng.normal(0, 15 * strength, (3, 1)) * 0.5 + rng.normal(0, 15 * strength)
    return cv2.transform(image, np.hstack([mix, shift]).astype(np.float32))


def _scene(rng: Rng, side: int) -> Image:
    """A crop of a generated street scene; a fixed set of scenes, each drawn once."""
    seed = _FIRST_SCENE + int(rng.integers(_SCENES))
    if seed not in _scenes:
        _scenes[seed] = render_scene(seed, (320, 448))[0]
    scene = _scenes[seed]
    span = int(rng.uniform(140, 320))
    top, left = int(rng.integers(321 - span)), int(rng.integers(449 - span))
    crop = scene[top : top + span, left : left + span]
    return recolour(rng, cv2.resize(crop, (side, side), interpolation=cv2.INTER_LINEAR), 0.5)


def _landscape(rng: Rng, side: int) -> Image:
    """A ground, a far band and a sky, each with its own texture, along uneven borders."""
    image = _sky(rng, side)
    low = rng.uniform(0.15, 0.55) * side
    for step in range(int(rng.integers(1, 4))):
        bumps = rng.uniform(-1, 1, (1, int(rng.integers(3, 24)))).astype(np.float32)
        edge = low + cv2.resize(bumps, (side, 1), interpolation=cv2.INTER_CUBIC)[
            0
        ] * side * rng.uniform(0, 0.08)
        below = np.arange(side)[:, None] > edge
        image[below] = texture(rng, side, GROUNDS)[below]
        low += rng.uniform(0.1, 0.35) * side * (step + 1)
    return image


def _sky(rng: Rng, side: int) -> Image:
    top, bottom = palette(rng, 2) * 0.4 + np.float32([130, 140, 155])
    height = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    cloud = np.clip(fractal(rng, side, cells=3, roughness=0.6, stretch=0.6), 0, 1)[..., None]
    return np.clip(top + (bottom - top) * height + cloud * rng.uniform(0, 80), 0, 255).astype(
        np.uint8
    )


Kind = Callable[[Rng, int], Image]
_SURFACES: dict[Kind, float] = {
    _photo: 5,
    _cloudy: 2,
    _directional: 1.5,
    _stripes: 1,
    _spots: 1,
    _patches: 1,
    _bricks: 0.4,
    _gradient: 1.5,
    _leaves: 1,
}
GROUNDS: dict[Kind, float] = {_photo: 3, _cloudy: 2, _directional: 2, _leaves: 2, _bricks: 0.5}
BACKDROPS: dict[Kind, float] = {
    _photo: 6,
    _landscape: 3,
    _scene: 1.5,
    _leaves: 0.8,
    _cloudy: 1,
    _directional: 0.7,
    _patches: 0.7,
    _bricks: 0.4,
    _stripes: 0.3,
    _gradient: 0.5,
}


def texture(rng: Rng, side: int, kinds: dict[Kind, float] = _SURFACES) -> Image:
    """A new random texture, uint8, shape (side, side, 3), of one of ``kinds``, drawn by weight.

    Nearly black ones are made brighter: a dark thing before a dark thing cannot be seen.
    """
    weights = np.cumsum(list(kinds.values()))
    chosen = np.searchsorted(weights, rng.uniform(0, weights[-1]), side="right")
    image = list(kinds)[int(chosen)](rng, side)
    lack = rng.uniform(25, 70) - cv2.mean(image)[1]
    return cv2.convertScaleAbs(image, alpha=1.3, beta=lack) if lack > 0 else image
