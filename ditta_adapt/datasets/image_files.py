"""Frames and label images, read from files with Pillow (extra `video`)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16, Integer, UInt8

from ditta_adapt.datasets.label_table import look_up
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require

_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L")


class FrameFiles(LazySequence[np.ndarray]):
    """The frames of a video, one file each."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, index: int) -> np.ndarray:
        return read_frame(self.paths[index])


class LabelFiles(LazySequence[np.ndarray | None]):
    """The labels of a video, one file each or `None`, checked against the sizes of its frames."""

    def __init__(
        self,
        paths: Sequence[Path | None],
        frames: FrameFiles,
        table: Int16[np.ndarray, " values"],
    ) -> None:
        self._paths, self._frames, self._table = tuple(paths), frames, table

    def __len__(self) -> int:
        return len(self._paths)

    def _read(self, index: int) -> np.ndarray | None:
        path = self._paths[index]
        if path is None:
            return None
        return read_label(path, self._table, frame=self._frames.paths[index])


def read_frame(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read an image as 8-bit RGB: grey is repeated, 16 bits lose the lower 8, alpha is dropped.

    Raises:
        InputError: the file is missing or cannot be read as an image.
        MissingDependencyError: Pillow is not installed.
    """
    image = _load(path)
    if image.mode in _WIDE_MODES:
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"), dtype=np.uint8)


def read_label(
    path: Path, table: Int16[np.ndarray, " values"], *, frame: Path
) -> UInt8[np.ndarray, "H W"]:
    """Read a label image: the pixel values of a single-channel image, or the indices of a palette.

    An image of three equal colour channels is taken as the grey image it shows.

    Args:
        path: the label image.
        table: label of each pixel value, see `label_table`.
        frame: the frame it belongs to, of which only the size is read.

    Raises:
        InputError: one of the files is missing or cannot be read as an image, the label image has
            colours, its size is not the frame's, or a pixel value is no label.
        MissingDependencyError: Pillow is not installed.
    """
    values = _pixel_values(path)
    size = _load(frame, header_only=True).size
    if values.shape != (size[1], size[0]):
        raise InputError(
            f"{path} is {values.shape} (H, W), but its frame {frame} is {(size[1], size[0])}; "
            "expected labels of the frame's size."
        )
    try:
        return look_up(values, table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _pixel_values(path: Path) -> Integer[np.ndarray, "H W"]:
    image = _load(path)
    pixels = np.asarray(image)
    if image.mode in ("1", "L", "P", *_WIDE_MODES):
        return pixels.astype(np.int32)
    if image.mode in ("RGB", "RGBA"):
        first = pixels[..., 0]
        if (first == pixels[..., 1]).all() and (first == pixels[..., 2]).all():
            return first.astype(np.int32)
    raise InputError(
        f"{path} is a colour image (mode {image.mode}); expected label ids, as grey values or as "
        "the indices of a palette."
    )


def _load(path: Path, *, header_only: bool = False) -> Any:
    """Open an image and, unless its header is enough, decode it; the file is closed again."""
    pillow = require("PIL.Image")
    try:
        with pillow.open(path) as image:
            if not header_only:
                image.load()
            return image
    # A broken PNG is a SyntaxError to Pillow, an absurd size a DecompressionBombError.
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from error
