"""Label maps as files: one indexed PNG a frame, or all in one compressed file."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from ditta_adapt.errors import InputError
from ditta_adapt.io.images import opened_image
from ditta_adapt.io.optional import require

# Of a file that is the same whenever it is written.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def encode_labels(labels: Integer[np.ndarray, "H W"], palette: UInt8[np.ndarray, "C 3"]) -> bytes:
    """A PNG file: indexed by the palette for up to 256 classes, else 16-bit grey.

    Args:
        labels: at most 255 or 65535; what is beyond the palette is shown black.
        palette: RGB.
    """
    pillow = require("PIL.Image")
    if len(palette) <= 256:
        image = pillow.fromarray(labels.astype(np.uint8))
        # Whole, since Pillow writes no more bits a pixel than the palette needs.
        image.putpalette(palette.tobytes().ljust(3 * 256, b"\0"))
    else:
        image = pillow.fromarray(labels.astype(np.uint16))
    file = io.BytesIO()
    image.save(file, format="png", compress_level=3)
    return file.getvalue()


def decode_labels(path: Path) -> Integer[np.ndarray, "H W"]:
    """What `encode_labels` made of labels, uint8 or uint16.

    Raises:
        InputError: there is no such file, or it is broken.
    """
    with opened_image(path) as image:
        labels = np.asarray(image)
        return labels if labels.dtype == np.uint8 else labels.astype(np.uint16)


def pack_labels(target: Path, files: Iterable[Path]) -> None:
    """One `.npz` file of many label maps, each an array by the name of its file.

    `numpy.load` reads it, one map at a time.

    Raises:
        InputError: it cannot be written, or a label map cannot be read.
    """
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in files:
                array = io.BytesIO()
                np.save(array, decode_labels(path))
                archive.writestr(
                    zipfile.ZipInfo(f"{path.stem}.npy", _NO_DATE),
                    array.getvalue(),
                    zipfile.ZIP_DEFLATED,
                )
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error}") from error
