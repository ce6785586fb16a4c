"""Sprites: bodies cut out of textures once, then drawn in any pose at any place of a frame."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.textures import Field, Rng, fractal

Matrix = npt.NDArray[np.float64]
"""A 3 x 3 affine map of (x, y, 1)."""

_MARGIN = 0.12
# The alpha, of 255, from which a pixel counts as a piece's; lower than half, or joints would show.
_OWNED = 76


def similarity(x: float, y: float, turn: float, scale: float) -> Matrix:
    """Scale, turn by radians, then move to (x, y)."""
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])


@dataclass
class _Wobble:
    """A smooth warp of a patch that changes over time: two fields, each with its own wave."""

    base: tuple[Field, Field]
    fields: list[tuple[Field, Field]]
    paces: list[float]
    phases: list[float]

    def apply(self, patch: Image, t: float) -> Image:
        """The patch as it is bent at frame ``t``."""
        x, y = self.base
        for (dx, dy), pace, phase in zip(self.fields, self.paces, self.phases, strict=True):
            gain = np.float32(np.sin(pace * t + phase))
            x, y = x + gain * dx, y + gain * dy
        return cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _wobble(rng: Rng, height: int, width: int, strength: float) -> _Wobble:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    fields, side = [], max(height, width)
    for cells in (2.0, 3.5):
        pair = []
        for _ in range(2):
            whole = fractal(rng, side, cells=cells, roughness=0.05)[:height, :width]
            pair.append(whole * np.float32(strength * min(height, width) / cells))
        fields.append((pair[0], pair[1]))
    return _Wobble((x, y), fields, list(rng.uniform(0.03, 0.7, 2)), list(rng.uniform(0, 6.3, 2)))


@dataclass
class _Patch:
    """A piece, cut out: ``pixels`` is colour times alpha, alpha; ``rest`` maps it to the body."""

    pixels: Image
    rest: Matrix
    piece: Piece
    wobble: _Wobble | None


@dataclass
class Layer:
    """What one sprite covers of one frame: a box, and there colour x alpha, alpha, and owner.

    ``owner`` is the number, of the sprite's `owners`, of the piece in front, if it has owners.
    """

    top: int
    left: int
    pixels: npt.NDArray[np.float32]
    owner: npt.NDArray[np.uint8] | None

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and columns of the frame that it covers."""
        height, width = self.pixels.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


class Sprite:
    """A body in its textures."""

    def __init__(self, rng: Rng, pieces: list[Piece], covers: list[Image], density: float) -> None:
        """Cut ``pieces`` out of the square textures ``covers``, at ``density`` pixels a unit."""
        order = np.argsort([piece.depth for piece in pieces], kind="stable")
        self.pieces, self.covers = pieces, covers
        self.order = [int(i) for i in order]
        soft = rng.uniform(0.01, 0.09) if rng.random() < 0.8 else 0.0
        self._shade = tuple(rng.normal(0, 0.12, 2).clip(-0.4, 0.4).tolist())
        self._round = rng.random() < 0.5
        self.patches = [self._cut(rng, piece, covers, density, soft) for piece in pieces]
        self.owners: list[int] | None = None
        self._rests = np.stack([patch.rest for patch in self.patches])
        sizes = [patch.pixels.shape[:2] for patch in self.patches]
        self._corners = np.array([[[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]] for h, w in sizes])

    def _cut(
        self, rng: Rng, piece: Piece, covers: list[Image], density: float, soft: float
    ) -> _Patch:
        points = np.concatenate(piece.contours)
        low, high = points.min(axis=0), points.max(axis=0)
        pad = 1.5 / density + (_MARGIN * (high - low).max() if piece.soft else 0)
        low = low - pad
        width, height = (max(3, math.ceil(v)) for v in ((high + pad - low) * density).tolist())
        if piece.picture is not None:
            spot, mask = _framed(piece.picture, height, width, round(pad * density))
        else:
            mask = np.zeros((height, width), np.uint8)
            drawn = [((c - low) * (density * 16) - 7.5).astype(np.int32) for c in piece.contours]
            cv2.fillPoly(mask, drawn, 255, cv2.LINE_AA, 4)
            spot = _patch(rng, covers[piece.cover % len(covers)], height, width)
        colour = spot * self._light(mask, height, width)[..., None]
        np.minimum(colour, 255, out=colour)
        colour *= mask[..., None] * np.float32(1 / 255)
        pixels = np.empty((height, width, 4), np.uint8)
        pixels[..., :3] = colour
        pixels[..., 3] = mask
        rest = similarity(low[0] + 0.5 / density, low[1] + 0.5 / density, 0, 1 / density)
        wobble = _wobble(rng, height, width, soft) if piece.soft and soft else None
        return _Patch(pixels, rest, piece, wobble)

    def _light(self, mask: Image, height: int, width: int) -> Field:
        """Brighter to one side and, for round things, darker to the rim."""
        right, down = self._shade
        x = np.arange(width, dtype=np.float32) * np.float32(2 * right / width)
        y = np.arange(height, dtype=np.float32) * np.float32(2 * down / height)
        light = y[:, None] + (x + np.float32(1 - right - down))
        if self._round and min(height, width) > 6:
            inside = cv2.blur(mask, (width // 3 | 1, height // 3 | 1)).astype(np.float32)
            light = light * (np.float32(0.65) + inside * np.float32(0.4 / 255))
        return light

    def draw(
        self, place: Matrix, t: float, size: int, blur: tuple[float, float] = (0, 0)
    ) -> Layer | None:
        """The sprite at frame ``t``, placed in pixels by ``place``; None if out of the frame.

        ``blur`` is the way, in pixels, over which motion smears it.
        """
        chain: list[Matrix] = []
        for piece in self.pieces:
            chain.append(
                _turned(piece, t) if piece.parent < 0 else chain[piece.parent] @ _turned(piece, t)
            )
        maps = place @ np.stack(chain) @ self._rests
        corners = (maps @ self._corners)[:, :2]
        lows = np.clip(np.floor(corners.min(axis=2)) - 1, -8, size + 8).astype(np.int64)
        highs = np.clip(np.ceil(corners.max(axis=2)) + 2, -8, size + 8).astype(np.int64)
        reach = math.ceil(max(abs(blur[0]), abs(blur[1])) / 2)
        x0, y0 = np.maximum(lows.min(axis=0) - reach, 0).tolist()
        x1, y1 = np.minimum(highs.max(axis=0) + reach, size).tolist()
        if x1 <= x0 or y1 <= y0:
            return None
        width, height = x1 - x0, y1 - y0
        lows = np.maximum(lows, (x0, y0))
        highs = np.minimum(highs, (x1, y1))
        shifted = maps[:, :2].copy()
        shifted[:, :, 2] -= lows
        pixels = np.zeros((height, width, 4), np.float32)
        owners = self.owners or []
        owner = np.zeros((height, width), np.uint8) if owners else None
        for i in self.order:
            (left, top), (right, bottom) = lows[i].tolist(), highs[i].tolist()
            if right <= left or bottom <= top:
                continue
            patch = self.patches[i]
            source = patch.wobble.apply(patch.pixels, t) if patch.wobble else patch.pixels
            part = cv2.warpAffine(source, shifted[i], (right - left, bottom - top))
            window = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
            alpha = part[..., 3]
            if len(self.order) == 1:
                pixels[window] = part
            else:
                under = pixels[window]
                under *= (255 - alpha)[..., None] * np.float32(1 / 255)
                under += part
            if owner is not None:
                owner[window][alpha > _OWNED] = owners[i]
        if reach:
            pixels = _smear(pixels, blur)
        return Layer(y0, x0, pixels, owner)


def _patch(rng: Rng, cover: Image, height: int, width: int) -> Image:
    """A random part of a texture, which is enlarged if it is too small."""
    side = cover.shape[0]
    if width > side or height > side:
        cover = cv2.resize(cover, (max(width, side), max(height, side)))
    y = int(rng.integers(cover.shape[0] - height + 1))
    x = int(rng.integers(cover.shape[1] - width + 1))
    return cover[y : y + height, x : x + width]


def _framed(picture: Image, height: int, width: int, pad: int) -> tuple[Image, Image]:
    """Colours and alpha of a picture inside an empty border."""
    size = max(width - 2 * pad, 1), max(height - 2 * pad, 1)
    inner = np.zeros((height, width, 4), np.uint8)
    inner[pad : pad + size[1], pad : pad + size[0]] = cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA
    )
    return inner[..., :3], np.ascontiguousarray(inner[..., 3])


def _turned(piece: Piece, t: float) -> Matrix:
    """The turn of one piece around its pivot at frame ``t``."""
    x, y = piece.pivot
    angle = piece.spin * t + piece.swing * math.sin(piece.pace * t + piece.phase)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array(
        [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]]
    )


def _smear(pixels: npt.NDArray[np.float32], way: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Average along a straight way of (x, y) pixels."""
    reach = math.ceil(max(abs(way[0]), abs(way[1])) / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [(int(reach * 16 + s * way[0] * 8), int(reach * 16 + s * way[1] * 8)) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    border = cv2.BORDER_CONSTANT if pixels.shape[2] == 4 else cv2.BORDER_REFLECT
    return cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=border)


def smear(image: npt.NDArray[np.float32], way: tuple[float, float]) -> npt.NDArray[np.float32]:
    """An image, shape (H, W, C), averaged along ``way`` if that is at least a pixel."""
    return _smear(image, way) if max(abs(way[0]), abs(way[1])) >= 1 else image
