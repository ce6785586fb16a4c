"""Label images of every kind that data sets come in."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt import InputError
from ditta_adapt.datasets.image_files import read_label
from ditta_adapt.datasets.label_table import identity_table
from ditta_adapt.io.images import read_frame
from tests.datasets.trees import SIZE, frame, label, save, save_palette

TABLE = identity_table(3)
EXPECTED = label(0, 1, 2, 255, 1)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    save(tmp_path / "frame.jpg", frame(0))
    return tmp_path / "frame.jpg"


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
    (tmp_path / "text.png").write_bytes(b"no image")
    for name in ("text", "missing"):
        with pytest.raises(InputError, match=rf"{name}\.png cannot be read as an image"):
            read_label(tmp_path / f"{name}.png", TABLE, frame=picture)
    save(tmp_path / "good.png", EXPECTED)
    with pytest.raises(InputError, match=r"text\.png cannot be read as an image"):
        read_label(tmp_path / "good.png", TABLE, frame=tmp_path / "text.png")


def write_grey(path: Path, samples: np.ndarray, bits: int) -> None:
    """A grey PNG of any depth, a byte or less a sample, or two; written by hand."""
    height, width = samples.shape
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in samples]
    else:
        places = (samples[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = [np.packbits(row).tobytes() for row in places]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0),
        b"IDAT": zlib.compress(b"".join(b"\0" + row for row in rows)),
        b"IEND": b"",
    }
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks.items()
        )
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_any_depth_is_read_as_stored(tmp_path: Path, picture: Path, bits: int) -> None:
    values = np.arange(np.prod(SIZE)).reshape(SIZE) % min(2**bits, 20)
    write_grey(tmp_path / "grey.png", values, bits)
    table = identity_table(20)
    labels = read_label(tmp_path / "grey.png", table, frame=picture)
    np.testing.assert_array_equal(labels, values)
    # As a frame it is shown, from black to white.
    full = {1: 255, 2: 85, 4: 17, 8: 1}.get(bits)
    shown = values * full if full else values >> 8
    np.testing.assert_array_equal(read_frame(tmp_path / "grey.png")[..., 0], shown)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_any_depth(tmp_path: Path, picture: Path, bits: int) -> None:
    values = (np.arange(np.prod(SIZE)).reshape(SIZE) % 2**bits).astype(np.uint8)
    image = Image.fromarray(values).convert("P")
    image.putdata(values.ravel().tolist())
    image.putpalette([9, 9, 9] * 2**bits)
    image.save(tmp_path / "palette.png", bits=bits)
    assert (tmp_path / "palette.png").read_bytes()[24] == bits
    labels = read_label(tmp_path / "palette.png", identity_table(50), frame=picture)
    np.testing.assert_array_equal(labels, values)


def test_orientation_of_frames_and_labels(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture = tmp_path / "frame.jpg"
    Image.fromarray(frame(0)).save(picture, exif=turned)
    upright = np.rot90(EXPECTED, -1)
    save(tmp_path / "upright.png", upright)
    labels = read_label(tmp_path / "upright.png", TABLE, frame=picture)
    np.testing.assert_array_equal(labels, upright)
    Image.fromarray(EXPECTED).save(tmp_path / "turned.png", exif=turned)
    labels = read_label(tmp_path / "turned.png", TABLE, frame=picture)
    np.testing.assert_array_equal(labels, upright)
    save(tmp_path / "stored.png", EXPECTED)
    with pytest.raises(InputError, match=r"is \(6, 8\).*is \(8, 6\).*is turned by its EXIF"):
        read_label(tmp_path / "stored.png", TABLE, frame=picture)
    save(tmp_path / "small.png", EXPECTED[:-1])
    with pytest.raises(InputError, match=r"is \(5, 8\).*of the frame's size\.$"):
        read_label(tmp_path / "small.png", TABLE, frame=picture)
