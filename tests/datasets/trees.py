"""Tiny data sets on disk."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (6, 8)


def frame(number: int) -> np.ndarray:
    """Strong red, and a blue that tells which frame it is."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, 10 * number
    return image


def number_of(image: np.ndarray) -> int:
    """Which `frame` it is, after JPEG."""
    assert image.shape == (*SIZE, 3)
    assert image.dtype == np.uint8
    assert abs(int(image[..., 0].mean()) - 200) < 5
    return round(float(image[..., 2].mean()) / 10)


def label(*values: int) -> np.ndarray:
    """A label image: the values in the first row, the rest of it and of the image the last one."""
    image = np.full(SIZE, values[-1], np.uint8)
    image[0, : len(values)] = values
    return image


def save(path: Path, pixels: np.ndarray) -> None:
    """Write an image, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=100)


def save_palette(path: Path, indices: np.ndarray) -> None:
    """Write a palette image in which every index is black: only the indices tell anything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette([0] * 768)
    image.save(path)


def write(path: Path, text: str = "") -> None:
    """Write a text file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
