"""Pictures for the report: frames as JPEG, labels as small PNG files that lie over them."""

import io

import numpy as np
from jaxtyping import Integer, UInt8

from ditta_adapt.io.images import fitted
from ditta_adapt.io.optional import require
from ditta_adapt.io.scaling import scaled_size

MOST_SIDE = 512
"""Pixels of the longer side, so that a report of 150 frames stays under ten megabytes."""

_QUALITY = 70


def frame_picture(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """A frame as a JPEG file of at most `MOST_SIDE`."""
    file = io.BytesIO()
    image = require("PIL.Image").fromarray(fitted(frame, MOST_SIDE))
    image.save(file, format="jpeg", quality=_QUALITY)
    return file.getvalue()


def label_picture(
    labels: Integer[np.ndarray, "h w"],
    palette: UInt8[np.ndarray, "C 3"],
    size: tuple[int, int],
) -> bytes:
    """Labels as a PNG file of the size of `frame_picture`, transparent where they are no class.

    Args:
        labels: on any grid over the frame; negative, or `C` and more, for no class.
        palette: RGB.
        size: `(H, W)` of the frame.
    """
    height, width = scaled_size(size, MOST_SIDE)
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(int)
    shown = labels[rows][:, columns].astype(np.int64)
    shown[(shown < 0) | (shown >= len(palette))] = -1
    # A picture has 256 colours, and hardly ever needs them: those that occur are numbered anew.
    values, counts = np.unique(shown, return_counts=True)
    seen = values[np.argsort(-counts, kind="stable")]
    seen = np.sort(seen[seen >= 0][:255])
    index = np.searchsorted(seen, shown.clip(min=0)).clip(max=max(len(seen) - 1, 0))
    known = (shown >= 0) & (seen[index] == shown if len(seen) else False)
    indexed = np.where(known, index + 1, 0).astype(np.uint8)
    image = require("PIL.Image").fromarray(indexed)
    image.putpalette(np.concatenate([np.zeros((1, 3), np.uint8), palette[seen]]).tobytes())
    file = io.BytesIO()
    image.save(file, format="png", transparency=0, compress_level=9)
    return file.getvalue()
