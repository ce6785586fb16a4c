"""Objects from pictures: anything that was cut out before, as a folder of images with alpha.

Drawn bodies have parts put together by chance; in pictures of things they belong together. The last
steps of the shipped weights saw Microsoft's Fluent Emoji in 3D (MIT licence), a package of npm:

    npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
    python -m examples.train_small_sam2 --out runs/sam2 --cutouts package/assets
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ditta_adapt.errors import InputError
from examples.train_small_sam2.bodies import Piece, body
from examples.train_small_sam2.textures import Rng, recolour

Picture = npt.NDArray[np.uint8]
"""Colours and alpha, RGBA, shape (H, W, 4), with no empty rows or columns around."""

_SUFFIXES = (".png", ".webp")
# Of alpha, 255 is opaque.
_SEEN = 128


def find_cutouts(folder: Path) -> tuple[Path, ...]:
    """The pictures in a folder, in the order of their names; each is read once to check it.

    Raises:
        InputError: there is none, or `load_cutout` refuses one.
    """
    found = tuple(sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES))
    if not found:
        raise InputError(
            f"expected images with alpha ({', '.join(_SUFFIXES)}) in {folder}, found none"
        )
    for path in found:
        load_cutout(path)
    return found


def load_cutout(path: Path) -> Picture:
    """A picture, cut to what can be seen of it.

    Raises:
        InputError: it cannot be read, has no alpha, or nothing of it can be seen.
    """
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise InputError(f"expected an image of 8 bits with alpha, got {path}")
    rows, columns = np.nonzero(image[..., 3] >= _SEEN)
    if not len(rows):
        raise InputError(f"expected something to be seen, but {path} is transparent")
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return np.asarray(cv2.cvtColor(image[box], cv2.COLOR_BGRA2RGBA), np.uint8)


def any_body(rng: Rng, files: Sequence[Path]) -> list[Piece]:
    """A drawn body or, if there are ``files``, as often a picture."""
    if files and rng.random() < 0.5:
        return cutout(rng, files)
    return body(rng)


def cutout(rng: Rng, files: Sequence[Path]) -> list[Piece]:
    """A picture as a body that bends a little; at times a second, smaller one sits on it."""
    pieces = [_piece(rng, files, np.zeros(2), 1.0)]
    if rng.random() < 0.25:
        place, size = rng.uniform(-0.7, 0.7, 2), rng.uniform(0.3, 0.8)
        rider = _piece(rng, files, place, size)
        rider.parent, rider.pivot = 0, (float(place[0]), float(place[1]))
        rider.swing, rider.pace = rng.uniform(0, 0.3), rng.uniform(0.1, 0.6)
        rider.depth = float(rng.choice([-1, 1]))
        pieces.append(rider)
    return pieces


def _piece(rng: Rng, files: Sequence[Path], place: npt.NDArray[np.float64], size: float) -> Piece:
    picture = load_cutout(files[int(rng.integers(len(files)))])
    colours = recolour(rng, np.ascontiguousarray(picture[..., :3]), rng.uniform(0.2, 1.2))
    picture = np.dstack([colours, picture[..., 3]])
    half = size * np.array(picture.shape[1::-1]) / max(picture.shape[:2])
    box = place + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return Piece([box], soft=True, picture=picture)
