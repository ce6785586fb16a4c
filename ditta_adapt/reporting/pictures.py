"""Pictures of a segmentation: labels laid over the frame, panels side by side."""

from collections.abc import Sequence

import numpy as np

from ditta_adapt.io.optional import require

_TITLE_HEIGHT = 16


def overlay(
    frame: np.ndarray, labels: np.ndarray, palette: np.ndarray, *, opacity: float = 0.65
) -> np.ndarray:
    """Colour a frame by its labels.

    Args:
        frame: `(H, W, 3)` uint8 RGB.
        labels: `(H, W)` integers in `[0, len(palette))`.
        palette: `(C, 3)` uint8 RGB.
        opacity: of the colour, in [0, 1].

    Returns:
        `(H, W, 3)` uint8.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    pillow = require("PIL.Image")
    colours = pillow.fromarray(np.take(palette, labels, axis=0))
    return np.asarray(pillow.blend(pillow.fromarray(frame), colours, opacity))


def side_by_side(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Titled pictures `(H, W, 3)` of one height in a row, 4 pixels apart."""
    height = panels[0][1].shape[0] + _TITLE_HEIGHT
    gap = np.full((height, 4, 3), 255, np.uint8)
    row: list[np.ndarray] = []
    for title, picture in panels:
        row += [np.concatenate([_title(title, picture.shape[1]), picture]), gap]
    return np.concatenate(row[:-1], axis=1)


def _title(text: str, width: int) -> np.ndarray:
    bar = require("PIL.Image").new("RGB", (width, _TITLE_HEIGHT), "white")
    require("PIL.ImageDraw").Draw(bar).text((3, 2), text, fill="black")
    return np.asarray(bar)
