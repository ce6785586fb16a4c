"""Frames and label images of every kind that data sets come in."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt import InputError, MissingDependencyError
from ditta_adapt.datasets.image_files import read_frame, read_label
from ditta_adapt.datasets.label_table import identity_table
from tests.datasets.trees import SIZE, frame, label, number_of, save, save_palette

TABLE = identity_table(3)
EXPECTED = label(0, 1, 2, 255, 1)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    save(tmp_path / "frame.jpg", frame(0))
    return tmp_path / "frame.jpg"


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_rgb(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", frame(7))
    image = read_frame(tmp_path / f"a.{suffix}")
    assert number_of(image) == 7
    image[:] = 0  # The caller's own.


def test_other_frames(tmp_path: Path) -> None:
    grey = np.full(SIZE, 90, np.uint8)
    save(tmp_path / "grey.png", grey)
    save(tmp_path / "wide.png", np.full(SIZE, 90 * 256 + 200, np.uint16))
    save(tmp_path / "alpha.png", np.full((*SIZE, 4), (90, 90, 90, 0), np.uint8))
    palette = Image.fromarray(np.full(SIZE, 1, np.uint8)).convert("P")
    palette.putdata([1] * grey.size)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    palette.save(tmp_path / "palette.png")
    for name in ("grey", "wide", "alpha", "palette"):
        image = read_frame(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))
        assert image.dtype == np.uint8


def test_labels_of_every_mode(tmp_path: Path, picture: Path) -> None:
    save(tmp_path / "grey.png", EXPECTED)
    save_palette(tmp_path / "palette.png", EXPECTED)
    save(tmp_path / "wide.png", EXPECTED.astype(np.uint16))
    save(tmp_path / "rgb.png", np.repeat(EXPECTED[..., None], 3, axis=2))
    rgba = np.dstack([EXPECTED] * 3 + [np.full(SIZE, 9, np.uint8)])
    save(tmp_path / "rgba.png", rgba)
    for name in ("grey", "palette", "wide", "rgb", "rgba"):
        labels = read_label(tmp_path / f"{name}.png", TABLE, frame=picture)
        np.testing.assert_array_equal(labels, EXPECTED)
        assert labels.dtype == np.uint8


def test_one_bit(tmp_path: Path, picture: Path) -> None:
    save(tmp_path / "bits.png", label(0, 1, 0).astype(bool))
    labels = read_label(tmp_path / "bits.png", TABLE, frame=picture)
    np.testing.assert_array_equal(labels, label(0, 1, 0))


def test_wide_values(tmp_path: Path, picture: Path) -> None:
    wide = EXPECTED.astype(np.uint16)
    wide[5, 5] = 1000
    save(tmp_path / "wide.png", wide)
    labels = read_label(tmp_path / "wide.png", identity_table(3, void=[1000]), frame=picture)
    assert labels[5, 5] == 255
    with pytest.raises(InputError, match=r"wide\.png: the pixel value 1000 is no label"):
        read_label(tmp_path / "wide.png", TABLE, frame=picture)


def test_colours_are_refused(tmp_path: Path, picture: Path) -> None:
    for channel in range(3):
        colours = np.ones((*SIZE, 3), np.uint8)
        colours[2, 3, channel] = 2
        save(tmp_path / "colour.png", colours)
        with pytest.raises(InputError, match=r"colour\.png is a colour image \(mode RGB\)"):
            read_label(tmp_path / "colour.png", TABLE, frame=picture)


def test_size_and_range(tmp_path: Path, picture: Path) -> None:
    save(tmp_path / "small.png", EXPECTED[:-1])
    with pytest.raises(InputError, match=r"small\.png is \(5, 8\).*frame\.jpg is \(6, 8\)"):
        read_label(tmp_path / "small.png", TABLE, frame=picture)
    save(tmp_path / "three.png", label(0, 3))
    with pytest.raises(InputError, match=r"three\.png: the pixel value 3 .*expected 0\.\.2, 255"):
        read_label(tmp_path / "three.png", TABLE, frame=picture)


def test_unreadable_files_are_named(tmp_path: Path, picture: Path) -> None:
    save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8))
    whole = (tmp_path / "whole.png").read_bytes()
    contents = {"empty": b"", "text": b"no image", "cut": whole[: len(whole) // 2]}
    # A later chunk without a name, which Pillow reports as a SyntaxError.
    first, second, *_ = whole.split(b"IDAT")
    contents["broken"] = first + b"IDAT" + second + b"\0\0\0\0"
    for name, content in contents.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    for name in (*contents, "missing"):
        with pytest.raises(InputError, match=rf"{name}\.png cannot be read as an image"):
            read_frame(tmp_path / f"{name}.png")
        with pytest.raises(InputError, match=rf"{name}\.png cannot be read as an image"):
            read_label(tmp_path / f"{name}.png", TABLE, frame=picture)
    save(tmp_path / "good.png", EXPECTED)
    with pytest.raises(InputError, match=r"empty\.png cannot be read as an image"):
        read_label(tmp_path / "good.png", TABLE, frame=tmp_path / "empty.png")


def test_missing_library(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[video\]"):
        read_frame(picture)
