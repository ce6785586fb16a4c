import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import PseudoLabelScore, SegmentationScore

quick = settings(max_examples=25)
Frame = tuple[np.ndarray, np.ndarray, np.ndarray]
CLASSES = 3


@st.composite
def videos(draw: st.DrawFn) -> list[Frame]:
    """Frames `(pred, warped, target)`; 255 in all of them, other non-classes in the target."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    frames = []
    for _ in range(draw(st.integers(0, 4))):
        shape = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        labels = [*range(draw(st.integers(0, CLASSES))), 255]
        pred, warped = rng.choice(labels, (2, *shape))
        frames.append((pred, warped, rng.choice([*labels, -1, CLASSES], shape)))
    return frames


def score_of(frames: list[Frame], *, compat: bool = False) -> PseudoLabelScore:
    score = PseudoLabelScore(CLASSES, unified_video_da_compat=compat)
    for frame in frames:
        score.update(*frame)
    return score


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def by_hand(frames: list[Frame], *, compat: bool) -> dict[str, float]:
    """The table's definitions from lists of pixels."""
    pixels = [
        pixel for frame in frames for pixel in zip(*(map_.flat for map_ in frame), strict=True)
    ]

    def compare(pairs: list[tuple[int, int]]) -> tuple[float, float, float]:
        """mIoU, mean recall, mean precision of pairs (found, true)."""
        pairs = [pair for pair in pairs if all(0 <= label < CLASSES for label in pair)]
        iou, recall, precision = [], [], []
        for c in range(CLASSES):
            both = sum(pair == (c, c) for pair in pairs)
            found, true = (sum(pair[i] == c for pair in pairs) for i in (0, 1))
            if found or true:
                iou.append(both / (found + true - both))
            if true:
                recall.append(both / true)
            if found:
                precision.append(both / found)
        return mean(iou), mean(recall), mean(precision)

    warped = compare([(w, y) for _, w, y in pixels])
    consistent = compare([(p, y) for p, w, y in pixels if p == w])
    kept = [float(p == w) for p, w, _ in pixels if w != 255]
    return {
        "PL-PredConsis-mIoU": compare([(p, w) for p, w, _ in pixels])[0],
        "PL-Warped-mIoU": warped[0],
        "PL-Warped-Acc": warped[2 if compat else 1],
        "PL-Consistency-mIoU": consistent[0],
        "PL-Consistency-Acc": consistent[1],
        "retained": mean(kept),
    }


@pytest.mark.parametrize("compat", [False, True])
@quick
@given(frames=videos())
def test_it_equals_lists_of_pixels(frames: list[Frame], compat: bool) -> None:
    value = score_of(frames, compat=compat).value()
    assert value == pytest.approx(by_hand(frames, compat=compat), abs=1e-12, nan_ok=True)
    assert all(math.isnan(number) or 0 <= number <= 1 + 1e-12 for number in value.values())


@quick
@given(frames=videos())
def test_an_identical_warp(frames: list[Frame]) -> None:
    """The predictions agree with themselves; the rest is the plain score."""
    same = [(pred, pred, target) for pred, _, target in frames]
    plain = SegmentationScore(CLASSES)
    for pred, _, target in same:
        plain.update(pred, np.where(pred == 255, 255, target))
    value = score_of(same).value()
    anything = any((pred != 255).any() for pred, _, _ in same)
    assert value["PL-PredConsis-mIoU"] == (1 if anything else pytest.approx(math.nan, nan_ok=True))
    for name in ("PL-Warped-mIoU", "PL-Consistency-mIoU"):
        assert value[name] == pytest.approx(plain.miou(include_predicted=True), nan_ok=True)
    for name in ("PL-Warped-Acc", "PL-Consistency-Acc"):
        assert value[name] == pytest.approx(plain.mean_accuracy(), nan_ok=True)


@quick
@given(frames=videos(), order=st.permutations(range(CLASSES)))
def test_names_of_classes_do_not_matter(frames: list[Frame], order: list[int]) -> None:
    names = {**dict(enumerate(order)), 255: 255, -1: -1, CLASSES: CLASSES}
    rename = np.vectorize(names.__getitem__, otypes=[int])
    renamed = [tuple(rename(labels) for labels in frame) for frame in frames]
    assert score_of(renamed).value() == pytest.approx(score_of(frames).value(), nan_ok=True)


@quick
@given(frames=videos(), cut=st.integers(0, 4))
def test_merged_halves_equal_the_whole(frames: list[Frame], cut: int) -> None:
    first, second = score_of(frames[:cut]), score_of(frames[cut:])
    first.merge(second)
    assert first.value() == pytest.approx(score_of(frames).value(), abs=0, rel=0, nan_ok=True)


def test_by_hand() -> None:
    """Pixels 0 and 2 are kept. Class 0: 1 of 2; class 1 is predicted and never true."""
    score = score_of([(np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), np.array([[0, 0, 0]]))])
    value = score.value()
    assert value["PL-Consistency-mIoU"] == 0.25
    assert value["PL-Consistency-Acc"] == 0.5
    assert value["retained"] == pytest.approx(2 / 3)
    # Class 0: 1 of the union of 2; class 1: 1 of the union of 2.
    assert value["PL-PredConsis-mIoU"] == 0.5
    assert value["PL-Warped-mIoU"] == pytest.approx((1 / 3 + 0) / 2)


def test_the_compatible_accuracy_is_a_precision() -> None:
    """Class 0 is warped to once, rightly, of three true pixels; class 1 twice, wrongly."""
    frame = np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), np.array([[0, 0, 0]])
    ours, theirs = score_of([frame]).value(), score_of([frame], compat=True).value()
    assert ours["PL-Warped-Acc"] == pytest.approx(1 / 3)
    assert theirs["PL-Warped-Acc"] == pytest.approx((1 + 0) / 2)
    del ours["PL-Warped-Acc"], theirs["PL-Warped-Acc"]
    assert ours == theirs


def test_nothing_to_compare_is_nan() -> None:
    nothing = np.full((2, 2), 255)
    for score in (
        PseudoLabelScore(CLASSES),
        score_of([(np.zeros((2, 2), int), nothing, np.zeros((2, 2), int))]),
    ):
        assert all(math.isnan(number) for number in score.value().values())


def test_ignored_never_agrees_with_ignored() -> None:
    score = score_of([(np.array([[255, 255, 0]]), np.array([[255, 0, 0]]), np.zeros((1, 3), int))])
    assert (score.valid_pixels, score.retained_pixels) == (2, 1)


def test_another_ignored_label() -> None:
    """As 300 classes need."""
    score = PseudoLabelScore(300, ignore_index=-1)
    score.update(np.array([[255, -1]]), np.array([[255, 7]]), np.array([[255, 7]]))
    assert score.value()["PL-Consistency-mIoU"] == 1
    assert score.value()["PL-Warped-mIoU"] == 1
    with pytest.raises(InputError, match="ignore_index is 255, which is one of the 300 classes"):
        PseudoLabelScore(300)


@pytest.mark.parametrize("label", [-1, CLASSES, 254])
@pytest.mark.parametrize("which", [0, 1])
def test_labels_out_of_range(label: int, which: int) -> None:
    score = PseudoLabelScore(CLASSES)
    frame = [np.zeros((2, 2), int) for _ in range(3)]
    frame[which][0, 1] = label
    with pytest.raises(InputError, match=r"1 pixels with a label outside \[0, 3\)"):
        score.update(*frame)
    assert all(math.isnan(number) for number in score.value().values())


def test_shapes_that_differ() -> None:
    a, b = torch.zeros(2, 3, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"\(2, 3\) and target \(3, 2\)"):
        PseudoLabelScore(CLASSES).update(a, a, b)
    with pytest.raises(ShapeError, match=r"\(2, 3\) and warped \(3, 2\)"):
        PseudoLabelScore(CLASSES).update(a, b, a)


def test_scores_of_different_classes_do_not_merge() -> None:
    with pytest.raises(InputError, match="has 4 classes; expected 3"):
        PseudoLabelScore(3).merge(PseudoLabelScore(4))
