"""Image files, read with Pillow (extra `video`)."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require
from ditta_adapt.io.orientation import Orientation, exif_orientation, swaps_sides, turned
from ditta_adapt.io.scaling import scaled_size

WIDE_MODES = ("I", "I;16", "I;16B", "I;16L")
"""Modes of Pillow in which images of 16 bits come."""

_ORIENTATION_TAG = 0x0112
# Chunks in which an orientation may come.
_PNG_METADATA = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})


def read_frame(path: str | Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read an image file as a frame, as `image_to_array`.

    Args:
        path: any format that Pillow can read. The several pictures of a phone's JPEG (MPO) count
            as one image, the first.

    Raises:
        InputError: the file is missing, cannot be read as an image, has floating-point samples, or
            holds several images.
        MissingDependencyError: Pillow is not installed.
    """
    with opened_image(path) as image:
        return _shown(image)


def image_to_array(image: Any) -> UInt8[np.ndarray, "H W 3"]:
    """An image of Pillow as 8-bit RGB, turned and mirrored as its EXIF data says.

    Grey is repeated, 16 bits lose the lower 8, alpha is dropped.

    Args:
        image: a `PIL.Image.Image`, decoded or not; of several images in it, the present one.

    Returns:
        An array of its own: the image may be closed, or written into.

    Raises:
        InputError: it has samples of floating point or of more than 16 bits, or cannot be decoded.
    """
    try:
        return _shown(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the image cannot be read: {error}") from error


def fitted(image: UInt8[np.ndarray, "H W 3"], max_side: int) -> UInt8[np.ndarray, "h w 3"]:
    """An image scaled down to `scaled_size`."""
    height, width = scaled_size((image.shape[0], image.shape[1]), max_side)
    if (height, width) == image.shape[:2]:
        return image
    pillow = require("PIL.Image")
    scaled = pillow.fromarray(image).resize((width, height), pillow.Resampling.BICUBIC)
    return np.asarray(scaled)


def image_orientation(image: Any) -> Orientation:
    """How a `PIL.Image.Image` is to be shown, by its EXIF data; upright without.

    A TIFF file is turned by Pillow while it is decoded, and upright from then on.
    """
    try:
        tag = image.getexif().get(_ORIENTATION_TAG, 1)
    # Pillow names no errors for broken EXIF data, with which an image is shown as it is stored.
    except Exception:
        tag = 1
    return exif_orientation(tag if isinstance(tag, int) else 1)


@contextmanager
def opened_image(path: str | Path) -> Iterator[Any]:
    """Open an image file, which is decoded when it is first needed, and close it afterwards.

    Raises:
        InputError: it is missing, cannot be read as an image, also inside of the context, or holds
            several images.
        MissingDependencyError: Pillow is not installed.
    """
    pillow = require("PIL.Image")
    try:
        with pillow.open(path) as image:
            count = getattr(image, "n_frames", 1)
            if count > 1 and image.format != "MPO":
                raise InputError(
                    f"{path} holds {count} images; expected one. Save each to a file of its own."
                )
            yield image
    except InputError:
        raise
    # A broken PNG is a SyntaxError to Pillow, an absurd size a DecompressionBombError.
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from error


def stored_and_shown_size(path: str | Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """`(H, W)` of an image file as it is stored, and as it is shown by its EXIF orientation.

    The pixels are not read, except for a PNG file whose EXIF data follow them.

    Raises:
        InputError: as `read_frame`, as far as it is seen.
        MissingDependencyError: Pillow is not installed.
    """
    with opened_image(path) as image:
        # Pillow decodes a PNG file to look for EXIF data behind the pixels.
        plain = image.format == "PNG" and _PNG_METADATA.isdisjoint(_png_chunks(Path(path)))
        swapped = not plain and swaps_sides(image_orientation(image))
        width, height = image.size
        if image.format == "TIFF":
            # Whether the size of an image that is turned while it is decoded is turned before,
            # too, depends on the version of Pillow; the tags are as stored.
            width, height = image.tag_v2[256], image.tag_v2[257]
    return (height, width), ((width, height) if swapped else (height, width))


def _shown(image: Any) -> UInt8[np.ndarray, "H W 3"]:
    pixels = _rgb(image)
    # After decoding, see there.
    return np.ascontiguousarray(turned(pixels, image_orientation(image)))


def _rgb(image: Any) -> UInt8[np.ndarray, "H W 3"]:
    if image.mode == "F":
        raise ValueError("it has floating-point samples (mode F); expected 8 or 16 bits")
    if image.mode not in WIDE_MODES:
        if image.mode == "P":
            # Pillow warns about palettes with transparent colours that are made RGB in one step.
            image = image.convert("RGBA")
        return np.array(image.convert("RGB"), dtype=np.uint8)
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 0xFFFF:
        raise ValueError(f"it has samples in {grey.min()}..{grey.max()}; expected 8 or 16 bits")
    return np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2)


def _png_chunks(path: Path) -> Iterator[bytes]:
    """The type of each chunk of a PNG file."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            yield kind
            file.seek(length + 4, 1)
