"""The backdrop of a clip: a texture with still things in it, larger than the frame."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.cutouts import any_body
from examples.train_small_sam2.dressing import dressed
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.shapes import outline
from examples.train_small_sam2.textures import BACKDROPS, Rng, texture

# In frame sides, for the camera moves.
_WORLD = 1.5


def make_backdrop(rng: Rng, size: int, cutouts: Sequence[Path]) -> Image:
    """A square picture, its side one and a half times ``size``, the side of a frame."""
    backdrop = texture(rng, int(size * _WORLD), BACKDROPS)
    _clutter(rng, backdrop, size, cutouts)
    if rng.random() < 0.25:
        backdrop = cv2.GaussianBlur(backdrop, (0, 0), rng.uniform(0.5, 3) * size / 160)
    return backdrop


def _clutter(rng: Rng, backdrop: Image, size: int, cutouts: Sequence[Path]) -> None:
    """Still things in the backdrop, so that not all that has an outline is an object."""
    if rng.random() < 0.5:
        return
    side = backdrop.shape[0]
    for _ in range(int(rng.integers(1, 6))):
        extent = rng.uniform(0.05, 0.4)
        pieces = any_body(rng, cutouts) if rng.random() < 0.2 else [Piece([outline(rng)])]
        sprite = dressed(rng, pieces, extent, size, backdrop)
        x, y = rng.uniform(0, side, 2)
        scale = extent / 2 * size
        place = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
        layer = sprite.draw(place, 0.0, side)
        if layer:
            box, alpha = layer.box, layer.pixels[..., 3:] / 255
            backdrop[box] = backdrop[box] * (1 - alpha) + layer.pixels[..., :3]
