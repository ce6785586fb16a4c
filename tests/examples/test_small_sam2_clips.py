"""The clips keep what they promise: exact ids, objects seen at first, some gone later."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cv2")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from ditta_adapt.errors import InputError, MissingDependencyError
from examples.train_small_sam2 import photos
from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.clips import held_out_clips, make_clip
from examples.train_small_sam2.motion import Absence, wander
from examples.train_small_sam2.sprites import Sprite, similarity
from examples.train_small_sam2.textures import BACKDROPS, texture


def _seen(ids: np.ndarray) -> np.ndarray:
    """Whether each object can be seen in each frame, shape (K, T)."""
    return np.stack([(ids == k).any(axis=(1, 2)) for k in range(1, int(ids[0].max()) + 1)])


@settings(max_examples=6)
@given(
    seed=st.integers(0, 2**31),
    num_frames=st.integers(1, 5),
    size=st.integers(32, 72),
    absent=st.sampled_from([0.0, 0.3, 1.0]),
    max_objects=st.integers(1, 6),
    pace=st.integers(1, 9),
)
def test_every_clip_keeps_its_promises(
    seed: int, num_frames: int, size: int, absent: float, max_objects: int, pace: int
) -> None:
    frames, ids = make_clip(
        seed, num_frames=num_frames, size=size, absent=absent, max_objects=max_objects, pace=pace
    )
    assert frames.shape == (num_frames, size, size, 3)
    assert ids.shape == (num_frames, size, size)
    assert frames.dtype == ids.dtype == np.uint8
    count = int(ids[0].max())
    assert 1 <= count <= max_objects
    assert ids.max() == count
    for k in range(1, count + 1):
        assert (ids[0] == k).sum() >= 0.004 * size * size
    if absent == 1 and num_frames >= 3:
        assert not _seen(ids).all()


def test_no_object_is_too_small_in_the_first_frame() -> None:
    for seed in range(15):
        ids = make_clip([8, seed], num_frames=1, size=32, max_objects=12)[1]
        assert np.bincount(ids.ravel()).min() >= 0.004 * ids.size


def test_the_same_arguments_give_the_same_clip() -> None:
    for seed in (7, [7, 8, 9]):
        first = make_clip(seed, num_frames=3, size=48)
        again = make_clip(seed, num_frames=3, size=48)
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)


def test_with_frames_left_out_a_mask_cannot_stay_where_it_is() -> None:
    def stays(pace: int) -> float:
        overlaps = []
        for seed in range(16):
            before, after = make_clip([6, seed], num_frames=2, size=64, absent=0.0, pace=pace)[1]
            for k in range(1, int(before.max()) + 1):
                one, other = before == k, after == k
                overlaps.append((one & other).sum() / (one | other).sum())
        return float(np.mean(overlaps))

    assert stays(16) < 0.8 * stays(1)


def test_other_seeds_and_held_out_clips_differ() -> None:
    clips = [make_clip(seed, num_frames=2, size=48)[0] for seed in (0, 1, [0, 1])]
    clips += [frames for frames, _ in held_out_clips(2, 2, 48, absent=0.15)]
    for i, a in enumerate(clips):
        for b in clips[:i]:
            assert np.abs(a.astype(int) - b).mean() > 5


def test_held_out_clips_are_always_the_same() -> None:
    first = list(held_out_clips(2, 2, 48, absent=0.0))
    again = list(held_out_clips(2, 2, 48, absent=0.0))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_about_the_asked_share_of_clips_has_an_object_that_goes() -> None:
    def share(absent: float) -> float:
        clips = [make_clip([5, i], num_frames=3, size=32, absent=absent)[1] for i in range(20)]
        return float(np.mean([not _seen(ids).all() for ids in clips]))

    assert share(0.0) < 0.1
    assert 0.25 < share(0.5) < 0.75


def test_some_objects_come_back() -> None:
    back = 0
    for seed in range(12):
        seen = _seen(make_clip([6, seed], num_frames=8, size=32, absent=1.0)[1])
        back += bool((~seen.all(axis=1) & seen[:, -1]).any())
    assert back >= 2


def test_objects_move_by_a_few_percent_of_the_side() -> None:
    steps, rows = [], np.arange(64)
    for seed in range(12):
        ids = make_clip([7, seed], num_frames=4, size=64, absent=0.0)[1]
        for k in range(1, int(ids[0].max()) + 1):
            seen = (ids == k).sum(axis=(1, 2))
            if (seen > 0).all():
                y = ((ids == k).sum(axis=2) * rows).sum(axis=1) / seen
                x = ((ids == k).sum(axis=1) * rows).sum(axis=1) / seen
                steps.append(np.hypot(np.diff(x), np.diff(y)).max() / 64)
    assert 0.005 < np.median(steps) < 0.08


def test_colours_change_where_ids_change() -> None:
    """Along the borders of the true ids more than along those of ids moved by a few pixels."""
    changes: dict[int, list[float]] = {0: [], -3: [], 3: []}
    for seed in range(20):
        frames, ids = make_clip([9, seed], num_frames=2, size=64, absent=0.0)
        steps = np.abs(np.diff(frames[1].astype(float), axis=1)).sum(axis=-1)
        for shift, found in changes.items():
            border = np.diff(np.roll(ids[1].astype(int), shift, axis=1), axis=1) != 0
            if border.any():
                found.append(steps[border].mean())
    assert np.mean(changes[0]) > 1.4 * max(np.mean(changes[-3]), np.mean(changes[3]))


def test_ids_are_the_pixels_that_the_object_mostly_covers() -> None:
    """A rectangle with known corners, drawn at a known place."""
    corners = np.array([[-1, -0.5], [1, -0.5], [1, 0.5], [-1, 0.5]])
    cover = np.full((64, 64, 3), 200, np.uint8)
    sprite = Sprite(np.random.default_rng(0), [Piece([corners])], [cover], 20.0)
    layer = sprite.draw(similarity(31.5, 31.5, 0, 10), 0.0, 64)
    assert layer is not None
    alpha = np.zeros((64, 64), np.float32)
    alpha[layer.box] = layer.pixels[..., 3]
    expected = np.zeros((64, 64), bool)
    expected[27:37, 22:42] = True
    np.testing.assert_array_equal(alpha > 127.5, expected)


def test_a_child_piece_turns_with_its_parent_and_around_its_pivot() -> None:
    """A trunk turned by a right angle carries a limb that is bent by another one."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.1
    quarter = np.pi / 2
    pieces = [
        Piece([square], spin=quarter),
        Piece([square + np.array([0.8, 0.0])], parent=0, pivot=(0.5, 0.1), spin=quarter),
    ]
    cover = np.full((64, 64, 3), 200, np.uint8)
    sprite = Sprite(np.random.default_rng(0), pieces, [cover], 60.0)
    layer = sprite.draw(similarity(49.5, 49.5, 0, 40), 1.0, 100)
    assert layer is not None
    alpha = np.zeros((100, 100), np.float32)
    alpha[layer.box] = layer.pixels[..., 3]
    # (0.8, 0) -> around (0.5, 0.1): (0.6, 0.4) -> around (0, 0): (-0.4, 0.6); times 40, plus 49.5.
    rows, columns = np.nonzero(alpha > 127.5)
    limb = rows > 60
    assert abs(rows[limb].mean() - 73.5) < 0.6
    assert abs(columns[limb].mean() - 33.5) < 0.6


def test_a_path_stays_within_its_limit_and_its_top_speed() -> None:
    path = wander(np.random.default_rng(0), 200, (0.1, -0.2), 0.3, 0.45)
    np.testing.assert_allclose(path[0], (0.1, -0.2))
    assert np.abs(path).max() <= 0.45
    assert np.hypot(*np.diff(path, axis=0).T).max() <= 0.12 + 1e-9


def test_a_path_moves_at_about_the_asked_speed() -> None:
    paths = [wander(np.random.default_rng(i), 5, (0.0, 0.0), 0.02, 0.45) for i in range(50)]
    steps = [np.hypot(*np.diff(path, axis=0).T).mean() for path in paths]
    assert 0.014 < np.mean(steps) < 0.026


def test_an_absence_rises_and_falls_over_its_ramp() -> None:
    away = Absence(3, 4).away(8, 2)
    np.testing.assert_allclose(away, [0, 0, 0.5, 1, 1, 0.5, 0, 0])


@pytest.mark.parametrize("kind", BACKDROPS, ids=lambda kind: kind.__name__)
def test_every_kind_of_texture_has_the_asked_size_and_varies(kind: object) -> None:
    spreads = []
    for seed in range(3):
        image = texture(np.random.default_rng(seed), 40, {kind: 1.0})
        assert image.shape == (40, 40, 3)
        assert image.dtype == np.uint8
        spreads.append(image.std())
    assert max(spreads) > 3


@pytest.mark.parametrize(
    "wrong", [{"num_frames": 0}, {"size": 16}, {"absent": 1.5}, {"max_objects": 0}, {"pace": 0}]
)
def test_wrong_arguments_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        make_clip(0, **{"num_frames": 2, "size": 64, **wrong})


@pytest.mark.parametrize("photo", [*photos.PHOTOS, photos.SILHOUETTE], ids=lambda p: p.path)
def test_every_photograph_is_there_and_names_author_licence_and_source(
    photo: photos.Photo,
) -> None:
    assert photos.find_photo(photo).is_file()
    assert photo.author
    assert photo.source
    free = ("CC0 1.0", "CC BY 2.0", "public domain", "no known copyright restrictions")
    assert photo.licence in free


def test_a_missing_package_is_named() -> None:
    lost = photos.Photo("sklearn", "datasets/images/none.jpg", "", "", "")
    with pytest.raises(MissingDependencyError, match="pip install scikit-learn"):
        photos.find_photo(lost)
