"""Label maps as files."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ditta_adapt import InputError
from ditta_adapt.reporting.palette import distinct_palette, hex_colour
from ditta_adapt.running.label_files import decode_labels, encode_labels, pack_labels
from ditta_adapt.running.pictures import MOST_SIDE, frame_picture, label_picture

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(st.data(), st.sampled_from([1, 2, 21, 150, 255, 256, 257, 1000]))
def test_labels_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    labels = data.draw(arrays(np.int64, SHAPES, elements=st.integers(0, count - 1)))
    path = tmp_path_factory.mktemp("labels") / "a.png"
    path.write_bytes(encode_labels(labels, distinct_palette(count)))
    assert np.array_equal(decode_labels(path), labels)


def test_what_is_no_class_comes_back() -> None:
    """Beyond a palette of four colours, which needs two bits a pixel."""
    labels = np.array([[0, 3, 255]], np.uint8)
    image = Image.open(io.BytesIO(encode_labels(labels, distinct_palette(4))))
    assert np.array_equal(np.asarray(image), labels)


def test_indexed_files_show_the_palette() -> None:
    palette = distinct_palette(5)
    labels = np.array([[0, 1], [4, 2]], np.uint8)
    image = Image.open(io.BytesIO(encode_labels(labels, palette)))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image.convert("RGB")), palette[labels])


def test_one_file_for_all(tmp_path: Path) -> None:
    maps = [np.full((3, 4), k, np.uint8) for k in range(3)]
    paths = [tmp_path / f"{k:06}.png" for k in range(3)]
    for path, labels in zip(paths, maps, strict=True):
        path.write_bytes(encode_labels(labels, distinct_palette(3)))
    pack_labels(tmp_path / "labels.npz", paths)
    with np.load(tmp_path / "labels.npz") as packed:
        assert sorted(packed) == ["000000", "000001", "000002"]
        assert np.array_equal(packed["000001"], maps[1])
    first = (tmp_path / "labels.npz").read_bytes()
    pack_labels(tmp_path / "labels.npz", paths)
    assert (tmp_path / "labels.npz").read_bytes() == first


def test_a_label_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as an image"):
        decode_labels(tmp_path / "000000.png")


@given(
    st.data(),
    st.sampled_from([1, 3, 300]),
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
)
def test_pictures_of_labels_show_their_colours(
    data: st.DataObject, count: int, size: tuple[int, int]
) -> None:
    """On a grid of their own, transparent where there is no class."""
    labels = data.draw(arrays(np.int16, SHAPES, elements=st.integers(-1, count)))
    palette = distinct_palette(count)
    picture = Image.open(io.BytesIO(label_picture(labels, palette, size))).convert("RGBA")
    pixels = np.asarray(picture)
    assert pixels.shape == (*size, 4)
    for y in range(size[0]):
        for x in range(size[1]):
            label = labels[
                int((y + 0.5) * labels.shape[0] / size[0]),
                int((x + 0.5) * labels.shape[1] / size[1]),
            ]
            if 0 <= label < count:
                assert pixels[y, x].tolist() == [*palette[label].tolist(), 255]
            else:
                assert pixels[y, x, 3] == 0


def test_more_classes_than_a_picture_has_colours() -> None:
    labels = np.arange(400).reshape(20, 20)
    labels[0] = 399
    picture = Image.open(io.BytesIO(label_picture(labels, distinct_palette(400), (20, 20))))
    pixels = np.asarray(picture.convert("RGBA"))
    assert (pixels[0, :, 3] == 255).all()
    assert (pixels[..., 3] == 0).any()


def test_large_frames_are_scaled_down() -> None:
    picture = Image.open(io.BytesIO(frame_picture(np.zeros((300, 1200, 3), np.uint8))))
    assert picture.format == "JPEG"
    assert picture.size == (MOST_SIDE, MOST_SIDE // 4)


@given(st.integers(1, 400))
def test_palettes_are_stable_and_distinct(count: int) -> None:
    palette = distinct_palette(count)
    assert palette.shape == (count, 3)
    assert np.array_equal(palette, distinct_palette(500)[:count])
    first = palette[:64].astype(int)
    gaps = np.abs(first[:, None] - first).max(axis=2) + 255 * np.eye(len(first), dtype=int)
    assert gaps.min() >= 5


def test_colours_as_hex() -> None:
    assert hex_colour(np.array([0, 171, 255], np.uint8)) == "#00abff"
