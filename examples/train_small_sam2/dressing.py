"""What bodies wear: textures of their own, those of another body, or parts of the backdrop."""

import cv2
import numpy as np

from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.shapes import blob
from examples.train_small_sam2.sprites import Sprite
from examples.train_small_sam2.textures import Rng, recolour, texture

# The share of textures that are the backdrop's: who knows an object by its colours alone takes
# these for it.
_CAMOUFLAGED = 0.3


def dressed(
    rng: Rng,
    pieces: list[Piece],
    extent: float,
    size: int,
    backdrop: Image,
    like: Sprite | None = None,
) -> Sprite:
    """A body in the textures of ``like``, or in fresh ones, at times from the backdrop.

    It is ``extent`` sides of a frame long, and a frame is ``size`` pixels wide.
    """
    density = max(6.0, extent / 2 * size * 1.15)
    if any(piece.picture is not None for piece in pieces):
        return Sprite(rng, pieces, [], density)
    if like:
        return Sprite(rng, pieces, like.covers, density)
    span = max(float(np.ptp(np.concatenate(p.contours), axis=0).max()) for p in pieces)
    side = int(np.clip(density * span * 1.3, 24, size * 1.2))
    covers = [_cover(rng, side, backdrop)]
    used = max(piece.cover for piece in pieces) + 1
    while len(covers) < used:
        covers.append(_cover(rng, max(16, side // 2), backdrop))
    if rng.random() < 0.35 and density > 12:
        _mark(rng, covers[0])
    return Sprite(rng, pieces, covers, density)


def _cover(rng: Rng, side: int, backdrop: Image) -> Image:
    """A texture of its own or a part of the backdrop, of another tint."""
    if rng.random() < _CAMOUFLAGED and side < backdrop.shape[0]:
        y, x = rng.integers(0, backdrop.shape[0] - side, 2)
        return recolour(rng, backdrop[y : y + side, x : x + side].copy(), 0.3)
    return texture(rng, side)


def _mark(rng: Rng, cover: Image) -> None:
    """Paint a few patches of another texture onto one: patches of fur, a shirt, a sign."""
    side = cover.shape[0]
    other = texture(rng, side)
    mask = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        points = blob(rng) * rng.uniform(0.05, 0.3) * side + rng.uniform(0, side, 2)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
    cv2.copyTo(other, mask, cover)
