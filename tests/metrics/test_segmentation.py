import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import SegmentationScore

quick = settings(max_examples=60, deadline=None)
Frames = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def warn_always() -> Iterator[None]:
    """Torch gives some warnings only once a process; here they are to come every time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@st.composite
def videos(draw: st.DrawFn) -> tuple[int, Frames]:
    """Frames `(pred, target)`; the target has 255, -1 and too large labels among the classes."""
    classes = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    possible = [*range(draw(st.integers(0, classes))), 255, -1, classes]
    frames = []
    for _ in range(draw(st.integers(0, 4))):
        shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
        frames.append((rng.integers(0, classes, shape), rng.choice(possible, shape)))
    return classes, frames


def scores_by_hand(classes: int, frames: Frames) -> tuple[list[float], float, float]:
    """IoU by class, mIoU and wIoU from sets of pixels."""
    pairs = [
        (p, y)
        for pred, target in frames
        for p, y in zip(pred.flat, target.flat, strict=True)
        if 0 <= y < classes
    ]
    ious, present, weighted = [], [], 0.0
    for c in range(classes):
        both = sum(p == c and y == c for p, y in pairs)
        either = sum(p == c or y == c for p, y in pairs)
        size = sum(y == c for _, y in pairs)
        ious.append(both / either if either else math.nan)
        if size:
            present.append(ious[-1])
            weighted += size / len(pairs) * ious[-1]
    if not present:
        return ious, math.nan, math.nan
    return ious, sum(present) / len(present), weighted


def score_of(classes: int, frames: Frames) -> SegmentationScore:
    score = SegmentationScore(classes)
    for pred, target in frames:
        score.update(pred, target)
    return score


@quick
@given(video=videos())
def test_scores_equal_sets_of_pixels(video: tuple[int, Frames]) -> None:
    classes, frames = video
    score = score_of(classes, frames)
    ious, miou, wiou = scores_by_hand(classes, frames)
    assert score.iou().tolist() == pytest.approx(ious, abs=1e-12, nan_ok=True)
    assert score.miou() == pytest.approx(miou, abs=1e-12, nan_ok=True)
    # Shares of classes need not be better than single precision.
    assert score.wiou() == pytest.approx(wiou, abs=1e-6, nan_ok=True)
    assert score.iou().dtype == torch.float64


@quick
@given(video=videos(), data=st.data())
def test_order_and_grouping_of_frames_do_not_matter(
    video: tuple[int, Frames], data: st.DataObject
) -> None:
    classes, frames = video
    expected = score_of(classes, frames)
    shuffled = score_of(classes, data.draw(st.permutations(frames)))
    assert torch.equal(shuffled.confusion, expected.confusion)
    at_once = SegmentationScore(classes)
    if frames:
        pred, target = (np.concatenate([f[i].ravel() for f in frames])[None] for i in (0, 1))
        at_once.update(torch.from_numpy(pred), torch.from_numpy(target))
    assert torch.equal(at_once.confusion, expected.confusion)


@quick
@given(video=videos())
def test_scores_lie_between_zero_and_one(video: tuple[int, Frames]) -> None:
    score = score_of(*video)
    for value in (score.miou(), score.wiou(), *score.iou().tolist()):
        assert math.isnan(value) or 0 <= value <= 1 + 1e-6


def test_by_hand() -> None:
    score = score_of(2, [(np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))])
    assert score.confusion.tolist() == [[2, 1], [0, 1]]
    assert score.iou().tolist() == pytest.approx([2 / 3, 1 / 2])
    assert score.miou() == pytest.approx(7 / 12)
    assert score.wiou() == pytest.approx(0.625)


def test_a_class_that_is_only_predicted_does_not_count() -> None:
    score = score_of(3, [(np.array([[0, 2]]), np.array([[0, 0]]))])
    assert score.miou() == 0.5
    assert score.wiou() == 0.5
    assert score.iou()[[0, 2]].tolist() == [0.5, 0.0]
    assert math.isnan(score.iou()[1])


def test_pixels_are_pooled_before_dividing() -> None:
    """1 of 1 and 1 of 3 pixels right: 2/4, not the mean of the frames' IoUs."""
    frames = [
        (np.array([[0]]), np.array([[0]])),
        (np.array([[0, 1, 1]]), np.array([[0, 0, 0]])),
    ]
    assert score_of(2, frames).miou() == 0.5


@pytest.mark.parametrize("ignored", [255, -1, 2])
def test_pixels_without_a_class_are_left_out(ignored: int) -> None:
    """Whatever is predicted there, also what is no class."""
    score = score_of(2, [(np.array([[0, 1, 7]]), np.array([[0, ignored, ignored]]))])
    assert score.confusion.tolist() == [[1, 0], [0, 0]]


def test_nothing_to_score_is_nan() -> None:
    for score in (
        SegmentationScore(3),
        score_of(3, [(np.zeros((2, 2), int), np.full((2, 2), 255))]),
    ):
        assert math.isnan(score.miou())
        assert math.isnan(score.wiou())
        assert score.iou().isnan().all()


@pytest.mark.parametrize("pred", [-1, 2, 255])
def test_a_prediction_out_of_range_is_an_error(pred: int) -> None:
    score = SegmentationScore(2)
    with pytest.raises(InputError, match=rf"predictions range from .*{pred}.*\[0, 2\)"):
        score.update(np.array([[1, pred]]), np.array([[0, 0]]))
    assert score.confusion.sum() == 0


@pytest.mark.parametrize("classes", [3, 150, 256, 300])
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16], ids=lambda d: d.__name__
)
def test_label_maps_of_any_integer_dtype(dtype: type, classes: int) -> None:
    """The number of classes need not fit into the dtype of the labels."""
    top = min(classes - 1, np.iinfo(dtype).max)
    pred, target = np.array([[0, top, 1]], dtype), np.array([[0, top, top]], dtype)
    score = score_of(classes, [(pred, target)])
    assert score.confusion.sum() == 3
    assert score.confusion[top].nonzero().flatten().tolist() == [1, top]
    assert score.miou() == pytest.approx((1 + 1 / 2) / 2)


def test_flipped_arrays() -> None:
    pred, target = np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]])
    score = score_of(2, [(pred[:, ::-1], target[:, ::-1])])
    assert score.confusion.tolist() == [[2, 1], [0, 1]]


def test_read_only_arrays(warn_always: None) -> None:
    """What `numpy.asarray(image)` gives must not warn."""
    pred, target = np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]])
    pred.flags.writeable = target.flags.writeable = False
    assert score_of(2, [(pred, target)]).confusion.tolist() == [[2, 1], [0, 1]]


def test_shapes_that_differ() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3, 2\)"):
        SegmentationScore(2).update(np.zeros((2, 3), int), np.zeros((3, 2), int))


@pytest.mark.parametrize("classes", [0, -3])
def test_there_must_be_a_class(classes: int) -> None:
    with pytest.raises(InputError, match=f"num_classes is {classes}"):
        SegmentationScore(classes)
