"""Objects made of pictures with alpha."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ditta_adapt.errors import InputError
from examples.train_small_sam2.batches import Stage, batches
from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.clips import make_clip
from examples.train_small_sam2.cutouts import cutout, find_cutouts, load_cutout
from examples.train_small_sam2.sprites import Sprite

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    """Two colours side by side, 20 wide and 10 high, with an empty border of 5."""
    image = np.zeros((20, 30, 4), np.uint8)
    image[5:15, 5:15] = (*left, 255)
    image[5:15, 15:25] = (*right, 255)
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture, and a file that is none."""
    cv2.imwrite(str(tmp_path / "a.png"), cv2.cvtColor(picture(RED, BLUE), cv2.COLOR_RGBA2BGRA))
    (tmp_path / "README.md").write_text("of pictures", encoding="utf-8")
    return tmp_path


def test_a_picture_is_cut_to_what_is_seen(folder: Path) -> None:
    loaded = load_cutout(folder / "a.png")
    assert loaded.shape == (10, 20, 4)
    assert loaded[0, 0].tolist() == [*RED, 255]
    assert loaded[-1, -1].tolist() == [*BLUE, 255]


def test_a_sprite_shows_its_picture_where_it_stands() -> None:
    box = np.array([[-1, -0.5], [1, -0.5], [1, 0.5], [-1, 0.5]])
    piece = Piece([box], picture=picture(RED, BLUE)[5:15, 5:25])
    sprite = Sprite(np.random.default_rng(0), [piece], [], density=20)
    place = np.array([[20.0, 0, 50], [0, 20, 50], [0, 0, 1]])
    layer = sprite.draw(place, 0.0, 100)
    assert layer is not None
    seen = np.zeros((100, 100, 4), np.float32)
    seen[layer.box] = layer.pixels
    opaque = seen[..., 3] > 127
    rows, columns = np.nonzero(opaque)
    # 2 units by 1 unit of 20 pixels each, around the pixel (50, 50), up to rounding.
    assert abs(rows.min() - 40) <= 1
    assert abs(rows.max() - 59) <= 1
    assert abs(columns.min() - 30) <= 1
    assert abs(columns.max() - 69) <= 1
    red, blue = seen[50, 40], seen[50, 60]
    assert red[0] > 50 > red[2]
    assert blue[2] > 50 > blue[0]


def test_a_body_of_pictures_has_one_or_two_pieces(folder: Path) -> None:
    rng, files = np.random.default_rng(0), find_cutouts(folder)
    bodies = [cutout(rng, files) for _ in range(40)]
    assert {len(pieces) for pieces in bodies} == {1, 2}
    for pieces in bodies:
        assert all(piece.picture is not None for piece in pieces)
        assert np.ptp(pieces[0].contours[0], axis=0).tolist() == [2.0, 1.0]


def test_clips_show_pictures_and_still_keep_their_promises(folder: Path) -> None:
    files = find_cutouts(folder)
    drawn = 0
    for seed in range(6):
        frames, ids = make_clip(seed, num_frames=3, size=64, cutouts=files)
        plain, _ = make_clip(seed, num_frames=3, size=64)
        again, _ = make_clip(seed, num_frames=3, size=64, cutouts=files)
        np.testing.assert_array_equal(frames, again)
        drawn += int(not np.array_equal(frames, plain))
        assert np.unique(ids[0][ids[0] > 0]).tolist() == list(range(1, ids[0].max() + 1))
    assert drawn >= 4


def test_batches_are_drawn_with_pictures(folder: Path) -> None:
    stage = Stage(1, 64, 2, 3, 0.5, 0.0, 0.2)
    with_pictures = next(batches(stage, [0], range(1), 0, find_cutouts(folder)))
    without = next(batches(stage, [0], range(1), 0))
    assert not np.array_equal(with_pictures.frames.numpy(), without.frames.numpy())


def test_wrong_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        find_cutouts(tmp_path)
    cv2.imwrite(str(tmp_path / "opaque.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"with alpha, got .*opaque.png"):
        load_cutout(tmp_path / "opaque.png")
    with pytest.raises(InputError, match=r"with alpha, got .*opaque.png"):
        find_cutouts(tmp_path)
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(InputError, match="is transparent"):
        load_cutout(tmp_path / "empty.png")
    (tmp_path / "broken.webp").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"broken.webp"):
        load_cutout(tmp_path / "broken.webp")
