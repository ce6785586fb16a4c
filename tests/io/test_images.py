"""Images as frames: every kind of file that frames come in, and every way to turn one."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from ditta_adapt import InputError, MissingDependencyError
from ditta_adapt.io.images import image_to_array, opened_image, read_frame, stored_and_shown_size

SIZE = (6, 8)
ORIENTATION = 0x0112
WRITTEN = {
    "jpg": {"quality": 100},
    "png": {},
    "webp": {"lossless": True},
    "tif": {},
    "tiff": {"compression": "tiff_lzw"},
}


@pytest.fixture
def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    return Image.fromarray(pixels)


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[ORIENTATION] = orientation
    return data


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif", "tiff"])
def test_rgb(tmp_path: Path, picture: Image.Image, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture.save(path, **WRITTEN.get(suffix, {}))
    image = read_frame(str(path))
    assert image.dtype == np.uint8
    with Image.open(path) as stored:
        np.testing.assert_array_equal(image, np.asarray(stored.convert("RGB")))
    image[:] = 0  # The caller's own.


@pytest.mark.parametrize("suffix", list(WRITTEN))
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_pillow_turns(
    tmp_path: Path, picture: Image.Image, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    picture.save(path, exif=exif(orientation), **WRITTEN[suffix])
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    image = read_frame(path)
    np.testing.assert_array_equal(image, expected)
    assert image.flags.c_contiguous
    assert image.shape[:2] == (SIZE[::-1] if orientation > 4 else SIZE)
    assert stored_and_shown_size(path) == (SIZE, image.shape[:2])


def test_turned_in_memory(picture: Image.Image) -> None:
    picture.getexif()[ORIENTATION] = 6
    turned = image_to_array(picture)
    np.testing.assert_array_equal(turned, np.rot90(np.asarray(picture), -1))
    # The image itself is as it was.
    assert picture.getexif()[ORIENTATION] == 6


def test_exif_data_after_the_pixels(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    chunk = b"eXIf" + exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(content[:-12] + chunk + content[-12:])
    assert read_frame(tmp_path / "a.png").shape == (*SIZE[::-1], 3)
    assert stored_and_shown_size(tmp_path / "a.png") == (SIZE, SIZE[::-1])


def test_a_size_is_known_without_the_pixels(
    tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture.save(tmp_path / "plain.png")
    for suffix in WRITTEN:
        picture.save(tmp_path / f"tagged.{suffix}", exif=exif(6))
    decoded: list[Image.Image] = []
    for opened in (Image.Image, PngImageFile, ImageFile):
        monkeypatch.setattr(opened, "load", lambda image: decoded.append(image))
    assert stored_and_shown_size(tmp_path / "plain.png") == (SIZE, SIZE)
    for suffix in WRITTEN:
        assert stored_and_shown_size(tmp_path / f"tagged.{suffix}") == (SIZE, SIZE[::-1])
    assert decoded == []


# An orientation that is a word, "6".
WORD = struct.pack("<4sIHHHI4sI", b"II*", 8, 1, ORIENTATION, 2, 2, b"6", 0)


@pytest.mark.parametrize("data", [b"", b"MM", b"MM\0*\0", WORD])
def test_broken_exif_data_turns_nothing(tmp_path: Path, picture: Image.Image, data: bytes) -> None:
    path = tmp_path / "a.png"
    picture.save(path, exif=b"Exif\0\0" + data)
    np.testing.assert_array_equal(read_frame(path), np.asarray(picture))
    assert stored_and_shown_size(path) == (SIZE, SIZE)


def test_other_colours(tmp_path: Path) -> None:
    grey = np.full(SIZE, 90, np.uint8)
    palette = Image.new("P", SIZE[::-1], 1)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    images = {
        "grey.png": Image.fromarray(grey),
        "wide.png": Image.fromarray(np.full(SIZE, 90 * 256 + 200, np.uint16)),
        "wide.tif": Image.fromarray(np.full(SIZE, 90 * 256 + 200, np.uint16)),
        "alpha.png": Image.fromarray(np.full((*SIZE, 4), (90, 90, 90, 0), np.uint8)),
        "palette.png": palette,
    }
    for name, image in images.items():
        image.save(tmp_path / name)
    palette.save(tmp_path / "clear.png", transparency=bytes([0, 128]))
    for name in (*images, "clear.png"):
        image = read_frame(tmp_path / name)
        np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))
        assert image.dtype == np.uint8


def test_samples_of_other_kinds(tmp_path: Path) -> None:
    Image.fromarray(np.ones(SIZE, np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match=r"float\.tif cannot be read.*floating-point .*mode F"):
        read_frame(tmp_path / "float.tif")
    with pytest.raises(InputError, match=r"the image cannot be read: .*floating-point"):
        image_to_array(Image.new("F", SIZE))
    for low, high in ((-1, 0), (0, 65536)):
        deep = np.full(SIZE, low, np.int32)
        deep[0, 0] = high
        Image.fromarray(deep).save(tmp_path / "deep.tif")
        with pytest.raises(InputError, match=rf"samples in {low}\.\.{high}; expected 8 or 16"):
            read_frame(tmp_path / "deep.tif")


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_several_images(tmp_path: Path, picture: Image.Image, suffix: str) -> None:
    others = [picture.rotate(90), picture.rotate(180)]
    path = tmp_path / f"a.{suffix}"
    picture.resize((8, 8)).save(
        path, save_all=True, append_images=[p.resize((8, 8)) for p in others]
    )
    for read in (read_frame, stored_and_shown_size):
        with pytest.raises(InputError, match=rf"a\.{suffix} holds 3 images; expected one"):
            read(path)


def test_the_pictures_of_a_phone_count_as_one(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", SIZE[::-1], (level,) * 3) for level in (200, 20))
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second])
    with opened_image(tmp_path / "phone.jpg") as image:
        assert image.n_frames == 2
    np.testing.assert_allclose(read_frame(tmp_path / "phone.jpg"), 200, atol=2)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
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
    with (
        Image.open(tmp_path / "cut.png") as image,
        pytest.raises(InputError, match="the image cannot be read"),
    ):
        image_to_array(image)


def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[video\]"):
        read_frame(tmp_path / "a.png")
