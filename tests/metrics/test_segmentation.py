import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import SegmentationScore

quick = settings(max_examples=30)
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


@quick
@given(video=videos(), data=st.data())
def test_names_of_classes_do_not_matter(video: tuple[int, Frames], data: st.DataObject) -> None:
    classes, frames = video
    renamed = np.array(data.draw(st.permutations(range(classes))))

    def rename(labels: np.ndarray) -> np.ndarray:
        known = (labels >= 0) & (labels < classes)
        return np.where(known, renamed[np.where(known, labels, 0)], labels)

    score = score_of(classes, frames)
    other = score_of(classes, [(rename(pred), rename(target)) for pred, target in frames])
    assert torch.equal(other.confusion[renamed][:, renamed], score.confusion)
    for one, two in ((score.miou(), other.miou()), (score.wiou(), other.wiou())):
        assert two == pytest.approx(one, abs=1e-12, nan_ok=True)
    assert other.miou(include_predicted=True) == pytest.approx(
        score.miou(include_predicted=True), abs=1e-12, nan_ok=True
    )


@quick
@given(video=videos())
def test_a_perfect_prediction_scores_one(video: tuple[int, Frames]) -> None:
    classes, frames = video
    score = score_of(classes, [(target, target) for _, target in frames])
    values = (score.miou(), score.miou(include_predicted=True), score.wiou(), score.mean_accuracy())
    if score.confusion.any():
        assert values == pytest.approx((1, 1, 1, 1), abs=1e-12)
    else:
        assert all(math.isnan(value) for value in values)


@quick
@given(video=videos())
def test_the_other_mean_and_accuracy_equal_sets_of_pixels(video: tuple[int, Frames]) -> None:
    classes, frames = video
    score = score_of(classes, frames)
    ious = [iou for iou in scores_by_hand(classes, frames)[0] if not math.isnan(iou)]
    expected = sum(ious) / len(ious) if ious else math.nan
    assert score.miou(include_predicted=True) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    recalls = []
    for c in range(classes):
        there = [
            p == c
            for pred, target in frames
            for p, y in zip(pred.flat, target.flat, strict=True)
            if y == c
        ]
        recalls.append(sum(there) / len(there) if there else math.nan)
    assert score.accuracy().tolist() == pytest.approx(recalls, abs=1e-12, nan_ok=True)
    assert score.accuracy().dtype == torch.float64
    recalls = [recall for recall in recalls if not math.isnan(recall)]
    expected = sum(recalls) / len(recalls) if recalls else math.nan
    assert score.mean_accuracy() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_a_class_that_is_only_predicted_counts_if_asked() -> None:
    score = score_of(3, [(np.array([[0, 2]]), np.array([[0, 0]]))])
    assert score.miou(include_predicted=True) == 0.25
    assert score.mean_accuracy() == 0.5


@quick
@given(video=videos(), cut=st.integers(0, 4))
def test_merged_halves_equal_the_whole(video: tuple[int, Frames], cut: int) -> None:
    """Also when one half was stored and read back."""
    classes, frames = video
    first, second = score_of(classes, frames[:cut]), score_of(classes, frames[cut:])
    whole = score_of(classes, frames)
    untouched = second.confusion.clone()
    first.merge(SegmentationScore.from_confusion(second.confusion.numpy()))
    assert torch.equal(first.confusion, whole.confusion)
    assert torch.equal(second.confusion, untouched)


def test_scores_of_different_classes_do_not_merge() -> None:
    with pytest.raises(InputError, match="has 3 classes; expected 2"):
        SegmentationScore(2).merge(SegmentationScore(3))


def test_a_stored_matrix_is_copied() -> None:
    stored = np.array([[2, 1], [0, 1]])
    score = SegmentationScore.from_confusion(stored)
    score.update(np.array([[0]]), np.array([[0]]))
    assert stored.tolist() == [[2, 1], [0, 1]]
    assert score.confusion.tolist() == [[3, 1], [0, 1]]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((2, 3), int), r"\(2, 3\); expected \(C, C\)"),
        (np.zeros(4, int), r"\(4,\); expected \(C, C\)"),
        (np.array([[1, -2], [0, 1]]), "count of -2"),
        (np.zeros((2, 2)), "counts are a ndarray of dtype float64"),
    ],
    ids=["not square", "flat", "negative", "float"],
)
def test_what_is_no_confusion_matrix(stored: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SegmentationScore.from_confusion(stored)


def test_ignored_classes_are_left_out() -> None:
    """Where they are the target; predicted elsewhere they are wrong."""
    score = SegmentationScore(3, ignored=[0])
    score.update(np.array([[1, 9, 0, 2]]), np.array([[1, 0, 1, 255]]))
    assert score.confusion.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert score.miou() == 0.5


def test_gradient_modes_do_not_matter() -> None:
    """A score that has seen frames in inference mode goes on outside of it, and back."""
    score = SegmentationScore(2)
    frame = torch.tensor([[0, 1]])
    with torch.inference_mode():
        score.update(frame.clone(), frame)
    score.update(frame, frame)
    with torch.inference_mode():
        score.merge(score)
    score.update(frame, frame)
    assert score.confusion.tolist() == [[5, 0], [0, 5]]


def test_an_update_waits_for_the_device_once() -> None:
    """For the range of the predictions. Selecting pixels and counting them in bins would, too."""
    score = SegmentationScore(3)
    pred, target = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 255, 2]])
    with torch.autograd.profiler.profile() as profile:
        score.update(pred, target)
    waits = {"_local_scalar_dense", "nonzero", "index", "masked_select", "bincount", "_unique2"}
    names = [event.name.removeprefix("aten::") for event in profile.function_events]
    assert "index_add_" in names
    assert sum(name in waits for name in names) == 1
    assert score.confusion.sum() == 2
