"""Frames and label images, read from files with Pillow (extra `video`)."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16, Integer, UInt8

from ditta_adapt.datasets.label_table import look_up
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.errors import InputError
from ditta_adapt.io.images import (
    WIDE_MODES,
    image_orientation,
    opened_image,
    read_frame,
    stored_and_shown_size,
)
from ditta_adapt.io.orientation import turned

# By bits: the factor by which Pillow scales grey values to 0..255.
_GREY_SCALE = {2: 85, 4: 17}
# Of samples of 16 bits Pillow keeps the upper byte; told the other order of bytes, the lower one.
_LOWER_BYTE = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}


class FrameFiles(LazySequence[np.ndarray]):
    """The frames of a video, one file each."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, index: int) -> np.ndarray:
        return read_frame(self.paths[index])


class LabelFiles(LazySequence[np.ndarray | None]):
    """The labels of a video, one file each or `None`, checked against the sizes of its frames.

    Args:
        paths: one a frame.
        frames: of the video.
        table: label of each pixel value, see `label_table`.
        read: how to read the pixel values of a file; by default `read_pixel_values`.
    """

    def __init__(
        self,
        paths: Sequence[Path | None],
        frames: FrameFiles,
        table: Int16[np.ndarray, " values"],
        read: Callable[[Path], np.ndarray] | None = None,
    ) -> None:
        self._paths, self._frames, self._table = tuple(paths), frames, table
        self._values = read

    def __len__(self) -> int:
        return len(self._paths)

    def _read(self, index: int) -> np.ndarray | None:
        path = self._paths[index]
        if path is None:
            return None
        return read_label(path, self._table, frame=self._frames.paths[index], read=self._values)


def read_label(
    path: Path,
    table: Int16[np.ndarray, " values"],
    *,
    frame: Path,
    read: Callable[[Path], np.ndarray] | None = None,
) -> UInt8[np.ndarray, "H W"]:
    """Read a label image: the pixel values of a single-channel image, or the indices of a palette.

    An image of three equal colour channels is taken as the grey image it shows. Values are as
    stored, also those of 2 and 4 bits; pixels lie as stored, unless the label image itself has an
    EXIF orientation.

    Args:
        path: the label image.
        table: label of each pixel value, see `label_table`.
        frame: the frame it belongs to, of which only the size is read: that of the frame as
            `read_frame` returns it.
        read: another way to read the pixel values, such as `read_first_channel`.

    Raises:
        InputError: one of the files is missing or cannot be read as an image, the label image has
            colours, its size is not the frame's, or a pixel value is no label.
        MissingDependencyError: Pillow is not installed.
    """
    values = (read or read_pixel_values)(path)
    stored, shown = stored_and_shown_size(frame)
    if values.shape != shown:
        turn = (
            " The frame is turned by its EXIF orientation, the label is not: turn the label, or "
            "store the frame upright."
            if values.shape == stored
            else ""
        )
        raise InputError(
            f"{path} is {values.shape} (H, W), but its frame {frame} is {shown}; expected labels "
            f"of the frame's size.{turn}"
        )
    try:
        return look_up(values, table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_pixel_values(path: Path) -> Integer[np.ndarray, "H W"]:
    """The values of a label image as `read_label` takes them, before they are looked up.

    Raises:
        InputError: it is missing, cannot be read as an image, or has colours.
        MissingDependencyError: Pillow is not installed.
    """
    with opened_image(path) as image:
        pixels = _samples(image, path)
        return turned(pixels, image_orientation(image))


def read_first_channel(path: Path) -> Integer[np.ndarray, "H W"]:
    """The first channel of a label image with colour channels of 8 or 16 bits, as stored.

    One without colour channels is read as by `read_pixel_values`.

    Raises:
        InputError: it is missing, cannot be read as an image, or has two channels of 16 bits.
        MissingDependencyError: Pillow is not installed.
    """
    with opened_image(path) as image:
        if image.mode not in ("RGB", "RGBA"):
            return read_pixel_values(path)
        wide = image.format == "PNG" and _png_bits(path) == 16
        order = image.tile[0][3] if wide else None
        first = np.asarray(image)[..., 0].astype(np.int32)
        orientation = image_orientation(image)
    if order is None:
        return turned(first, orientation)
    if order not in _LOWER_BYTE:
        raise InputError(f"{path} has two channels of 16 bits; expected one, three or four.")
    with opened_image(path) as image:
        image.tile = [(*tile[:3], _LOWER_BYTE[order]) for tile in image.tile]
        return turned(first * 256 + np.asarray(image)[..., 0], orientation)


def _samples(image: Any, path: Path) -> Integer[np.ndarray, "H W"]:
    pixels = np.asarray(image)
    if image.mode in ("1", "L", "P", *WIDE_MODES):
        grey_png = image.format == "PNG" and image.mode == "L"
        scale = _GREY_SCALE.get(_png_bits(path), 1) if grey_png else 1
        return pixels.astype(np.int32) // scale
    if image.mode in ("RGB", "RGBA"):
        first = pixels[..., 0]
        if (first == pixels[..., 1]).all() and (first == pixels[..., 2]).all():
            return first.astype(np.int32)
    raise InputError(
        f"{path} is a colour image (mode {image.mode}); expected label ids, as grey values or as "
        "the indices of a palette."
    )


def _png_bits(path: Path) -> int:
    """Bits of a sample of a PNG file, from its header."""
    with path.open("rb") as file:
        return file.read(25)[24]
