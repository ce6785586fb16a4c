import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import JAndF, contour_accuracy, region_similarity

quick = settings(max_examples=25)
Video = tuple[np.ndarray, np.ndarray]


@st.composite
def videos(draw: st.DrawFn) -> Video:
    """Predictions and targets `(L, H, W)` of up to three objects, which come and go."""
    length = draw(st.integers(0, 6))
    shape = draw(st.integers(1, 10)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))

    def one(ids: list[int]) -> np.ndarray:
        frames = np.zeros((length, *shape), int)
        for frame in frames:
            for label in ids:
                top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
                frame[top : top + rng.integers(0, 6), left : left + rng.integers(0, 6)] = label
        return frames

    ids = [int(label) for label in rng.permutation([1, 2, 5])[: draw(st.integers(0, 3))]]
    targets = one([*ids, 255, 9])
    if length:
        targets[0][targets[0] == 9] = 0
        ids = [label for label in ids if label in targets[0]]
    return one(ids), targets


def contour_by_hand(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    contour = np.zeros_like(mask)
    for y, x in np.ndindex(height, width):
        steps = [(0, 1)] * (x < width - 1) + [(1, 0)] * (y < height - 1)
        steps += [(1, 1)] * (x < width - 1 and y < height - 1)
        contour[y, x] = any(mask[y, x] != mask[y + dy, x + dx] for dy, dx in steps)
    return contour


def f_by_hand(pred: np.ndarray, target: np.ndarray) -> float:
    radius = int(np.ceil(0.008 * np.linalg.norm(pred.shape)))
    dy, dx = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = dx**2 + dy**2 <= radius**2
    found, true = contour_by_hand(pred), contour_by_hand(target)
    if not found.any() and not true.any():
        return 1.0
    if not found.any() or not true.any():
        return 0.0
    precision = (found & ndimage.binary_dilation(true, disk)).sum() / found.sum()
    recall = (true & ndimage.binary_dilation(found, disk)).sum() / true.sum()
    if precision + recall == 0:
        return 0.0
    return float(2 * precision * recall / (precision + recall))


def j_by_hand(pred: np.ndarray, target: np.ndarray) -> float:
    union = (pred | target).sum()
    return float((pred & target).sum() / union) if union else 1.0


def objects_by_hand(video: Video) -> list[tuple[list[float], list[float]]]:
    preds, targets = video
    if len(preds) < 3:
        return []
    objects = []
    for label in sorted(set(targets[0].flat) - {0, 255}):
        pairs = [(p == label, t == label) for p, t in zip(preds, targets, strict=True)][1:-1]
        objects.append(([j_by_hand(*pair) for pair in pairs], [f_by_hand(*pair) for pair in pairs]))
    return objects


def statistics_by_hand(objects: list[list[float]]) -> tuple[float, float, float]:
    """The official bins, as it finds them but for their eight bits."""
    rows = []
    for values in objects:
        bounds = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
        first, last = values[: bounds[1] + 1], values[bounds[3] : bounds[4] + 1]
        recall = np.mean(np.array(values) > 0.5)
        rows.append((np.mean(values), recall, np.mean(first) - np.mean(last)))
    return tuple(map(float, np.mean(rows, axis=0))) if rows else (math.nan,) * 3


def score_of(*videos: Video) -> JAndF:
    metric = JAndF()
    for video in videos:
        metric.add_video(*video)
    return metric


@quick
@given(several=st.lists(videos(), max_size=2))
def test_it_equals_the_official_definition(several: list[Video]) -> None:
    metric = score_of(*several)
    objects = [scores for video in several for scores in objects_by_hand(video)]
    assert len(metric.scores) == len(objects)
    for scores, (j, f) in zip(metric.scores, objects, strict=True):
        assert scores.j == pytest.approx(j, abs=1e-12)
        assert scores.f == pytest.approx(f, abs=1e-12)
    j, f = (statistics_by_hand([scores[i] for scores in objects]) for i in (0, 1))
    assert tuple(metric.j()) == pytest.approx(j, abs=1e-12, nan_ok=True)
    assert tuple(metric.f()) == pytest.approx(f, abs=1e-12, nan_ok=True)
    assert metric.value() == pytest.approx((j[0] + f[0]) / 2, abs=1e-12, nan_ok=True)
    assert math.isnan(metric.value()) or 0 <= metric.value() <= 1


@quick
@given(video=videos())
def test_names_of_objects_do_not_matter(video: Video) -> None:
    names = {0: 0, 1: 7, 2: 1, 5: 3, 9: 200, 255: 255}
    renamed = tuple(
        np.vectorize(names.__getitem__, otypes=[int])(maps) if maps.size else maps for maps in video
    )
    assert score_of(renamed).value() == pytest.approx(score_of(video).value(), nan_ok=True)


@quick
@given(video=videos())
def test_a_perfect_prediction_scores_one(video: Video) -> None:
    """Whatever is void, or no object, is background."""
    _, targets = video
    ids = np.setdiff1d(targets[:1], [0, 255])
    value = score_of((np.where(np.isin(targets, ids), targets, 0), targets)).value()
    assert value == 1 if len(targets) > 2 and len(ids) else math.isnan(value)


@quick
@given(several=st.lists(videos(), max_size=3), cut=st.integers(0, 3))
def test_stored_scores_pool_to_the_same_value(several: list[Video], cut: int) -> None:
    first, second = score_of(*several[:cut]), score_of(*several[cut:])
    for stored in json.loads(json.dumps(second.scores)):
        first.add_scores(*stored)
    whole = score_of(*several)
    assert first.scores == whole.scores
    for one, two in ((first.j(), whole.j()), (first.f(), whole.f())):
        assert one == pytest.approx(two, abs=0, rel=0, nan_ok=True)


@quick
@given(video=videos())
def test_all_forms_of_a_video_are_the_same(video: Video) -> None:
    def decode(frames: np.ndarray) -> Iterator[torch.Tensor]:
        """One by one, in a buffer that is used again."""
        buffer = torch.zeros(frames.shape[1:], dtype=torch.uint8)
        for frame in frames:
            buffer.copy_(torch.from_numpy(frame))
            yield buffer

    metric = JAndF()
    metric.add_video(decode(video[0]), decode(video[1]))
    assert metric.scores == score_of(video).scores


def square(top: int, left: int, size: int = 40, shape: tuple[int, int] = (100, 120)) -> np.ndarray:
    mask = np.zeros(shape, int)
    mask[top : top + size, left : left + size] = 1
    return mask


def pair(pred: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """J and F of one object in one frame."""
    masks = [torch.from_numpy(mask == 1)[None] for mask in (pred, target)]
    return float(region_similarity(*masks)), float(contour_accuracy(*masks))


def test_equal_and_empty_masks() -> None:
    mask, empty = square(10, 10), square(0, 0, size=0)
    assert pair(mask, mask) == (1, 1)
    assert pair(empty, empty) == (1, 1)
    assert pair(mask, empty) == (0, 0)
    assert pair(empty, mask) == (0, 0)


def test_a_shift_within_the_tolerance() -> None:
    """In 480 x 854 pixels it is 8: beyond it the upper and lower sides slide along, still near."""
    shape = 480, 854
    target = square(100, 100, 200, shape)
    j, f = pair(square(100, 108, 200, shape), target)
    assert f == 1
    assert j == pytest.approx(192 / 208)
    assert pair(square(100, 109, 200, shape), target)[1] < 0.8


def test_disjoint_masks() -> None:
    assert pair(square(0, 0, 20), square(60, 60, 20)) == (0, 0)


def test_a_mask_of_all_pixels_has_no_contour() -> None:
    """So that against an empty one, J is 0 and F is 1, as in the official program."""
    assert pair(np.ones((10, 10), int), np.zeros((10, 10), int)) == (0, 1)


def test_the_first_and_the_last_frame_do_not_count() -> None:
    """Not even for ids that are no object."""
    target, wrong = square(10, 10), square(60, 70) * 3
    metric = score_of((np.stack([wrong, target, target, wrong]), np.stack([target] * 4)))
    assert metric.scores == [([1.0, 1.0], [1.0, 1.0])]


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_short_video_adds_nothing(length: int) -> None:
    frames = np.ones((length, 4, 4), int)
    metric = score_of((frames, frames))
    assert metric.scores == []
    assert math.isnan(metric.value())
    assert all(math.isnan(number) for number in (*metric.j(), *metric.f()))


def test_a_missing_object_is_empty() -> None:
    """Object 2 is never predicted: J and F are 0 where it is there and 1 where it is not."""
    both = square(0, 0, 20) + 2 * square(60, 60, 20)
    one = square(0, 0, 20)
    metric = score_of((np.stack([one] * 4), np.stack([both, both, one, both])))
    assert metric.scores == [([1.0, 1.0], [1.0, 1.0]), ([0.0, 1.0], [0.0, 1.0])]
    assert metric.value() == 0.75
    assert metric.j() == (0.75, 0.75, -0.5)


def test_objects_weigh_the_same() -> None:
    """A long video of one object and a short one of another."""
    good, bad = square(10, 10), square(60, 70)
    metric = score_of(
        (np.stack([good] * 12), np.stack([good] * 12)), (np.stack([bad] * 3), np.stack([good] * 3))
    )
    assert metric.value() == 0.5


@pytest.mark.parametrize("extra", [2, 255, -1])
def test_an_extra_id_is_an_error(extra: int) -> None:
    target = np.stack([square(10, 10)] * 4)
    preds = target.copy()
    preds[2, 0, 0] = extra
    metric = JAndF()
    with pytest.raises(InputError, match=rf"frame 2: pred has the object id {extra}; .*\[1\]"):
        metric.add_video(preds, target)
    assert metric.scores == []


def test_decay_in_a_video_of_more_than_255_frames() -> None:
    """Scores fall from 1 to 0 after 300 of 400 frames, where bounds in eight bits would wrap."""
    metric = JAndF()
    scores = [1.0] * 300 + [0.0] * 100
    metric.add_scores(scores, scores)
    # The last bin begins at frame round(399 * 3 / 4) = 299, the last good one.
    assert metric.j().decay == pytest.approx(1 - 1 / 101)
    assert metric.f() == metric.j()
    assert metric.j().recall == metric.j().mean == 0.75


@pytest.mark.parametrize(
    ("frames", "decay"), [(1, 0), (2, 1), (3, 3 / 4), (4, 5 / 6 - 1 / 6), (5, 7 / 8 - 1 / 8)]
)
def test_decay_of_few_frames(frames: int, decay: float) -> None:
    """From 1 down to 0 in equal steps."""
    scores = np.linspace(1, 0, frames).tolist()
    metric = JAndF()
    metric.add_scores(scores, scores)
    assert metric.j().decay == pytest.approx(decay, abs=1e-12)


@pytest.mark.parametrize(
    ("j", "f", "message"),
    [
        ([], [], "j has 0 scores and f 0"),
        ([1.0], [1.0, 0.5], "j has 1 scores and f 2"),
        ([1.5], [1.0], r"score is 1.5; expected one in \[0, 1\]"),
        ([1.0], [math.nan], "score is nan"),
    ],
)
def test_stored_scores_that_cannot_be(j: list[float], f: list[float], message: str) -> None:
    metric = JAndF()
    with pytest.raises(InputError, match=message):
        metric.add_scores(j, f)
    assert metric.scores == []


def test_videos_of_different_length() -> None:
    metric = JAndF()
    with pytest.raises(InputError, match="differ in length"):
        metric.add_video(np.ones((4, 2, 2), int), np.ones((5, 2, 2), int))
    assert metric.scores == []


def test_shapes_and_dtypes(unchecked: None) -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    for measure in (region_similarity, contour_accuracy):
        with pytest.raises(ShapeError, match=r"\(1, 4, 4\).*\(2, 4, 4\); expected the same"):
            measure(mask, mask.expand(2, 4, 4))
        with pytest.raises(ShapeError, match=r"\(4, 4\); expected the same \(N, H, W\)"):
            measure(mask[0], mask[0])
        with pytest.raises(ShapeError, match=r"torch.uint8.*expected torch.bool"):
            measure(mask.byte(), mask)
