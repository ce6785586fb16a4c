import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import BoundaryIoU

quick = settings(max_examples=25)
Image = tuple[np.ndarray, np.ndarray]
forms = pytest.mark.parametrize("per_class", [False, True])
CLASSES = 3


@st.composite
def images(draw: st.DrawFn) -> Image:
    """A prediction and a target of a few rectangles; 255, -1 and too large labels in the target."""
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))

    def patches(labels: list[int]) -> np.ndarray:
        image = np.full(shape, rng.choice(labels))
        for _ in range(draw(st.integers(0, 3))):
            top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
            bottom, right = rng.integers(top, shape[0]) + 1, rng.integers(left, shape[1]) + 1
            image[top:bottom, left:right] = rng.choice(labels)
        return image

    return patches([0, 1, 2]), patches([0, 1, 2, 255, -1, 3])


def by_hand(image: Image, *, per_class: bool, literal: bool) -> float:
    """The definition from sets of pixels, one class and one pixel after the other."""
    pred, target = image
    band = set()
    for c in range(CLASSES):
        for y, x in zip(*np.nonzero(target == c), strict=True):
            square = target[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
            if (square == c).all() == literal:
                band.add((y, x))
    if not band:
        return math.nan
    if not per_class:
        agreeing = sum(pred[p] == target[p] for p in band)
        return float(agreeing / (len(band) + len(band) - agreeing))
    ious = []
    for c in range(CLASSES):
        found, true = ({p for p in band if labels[p] == c} for labels in (pred, target))
        if true:
            ious.append(len(found & true) / len(found | true))
    return sum(ious) / len(ious)


def score_of(*images: Image, **options: bool) -> BoundaryIoU:
    metric = BoundaryIoU(CLASSES, **options)
    for image in images:
        metric.update(*image)
    return metric


@forms
@pytest.mark.parametrize("literal", [False, True])
@quick
@given(several=st.lists(images(), max_size=3))
def test_it_equals_sets_of_pixels(several: list[Image], per_class: bool, literal: bool) -> None:
    values = [by_hand(image, per_class=per_class, literal=literal) for image in several]
    values = [value for value in values if not math.isnan(value)]
    metric = score_of(*several, per_class=per_class, literal=literal)
    assert metric.scores == pytest.approx(values, abs=1e-12)
    expected = sum(values) / len(values) if values else math.nan
    assert metric.value() == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert not values or 0 <= metric.value() <= 1


@forms
@quick
@given(image=images(), order=st.permutations(range(CLASSES)))
def test_names_of_classes_do_not_matter(image: Image, order: list[int], per_class: bool) -> None:
    names = np.array([*order, 3])
    pred, target = image
    known = (target >= 0) & (target < CLASSES)
    renamed = names[pred], np.where(known, names[np.where(known, target, 0)], target)
    assert score_of(renamed, per_class=per_class).value() == pytest.approx(
        score_of(image, per_class=per_class).value(), abs=1e-12, nan_ok=True
    )


@forms
@pytest.mark.parametrize("literal", [False, True])
@quick
@given(image=images())
def test_a_perfect_prediction_scores_one(image: Image, per_class: bool, literal: bool) -> None:
    _, target = image
    value = score_of((target, target), per_class=per_class, literal=literal).value()
    assert value == 1 or math.isnan(value)


@quick
@given(several=st.lists(images(), max_size=4), cut=st.integers(0, 4))
def test_stored_scores_pool_to_the_same_value(several: list[Image], cut: int) -> None:
    first, second = score_of(*several[:cut]), score_of(*several[cut:])
    first.add_scores(json.loads(json.dumps(second.scores)))
    whole = score_of(*several)
    assert first.scores == whole.scores
    assert first.value() == whole.value() or math.isnan(whole.value())


def test_a_batch_is_its_images() -> None:
    rng = np.random.default_rng(0)
    preds, targets = rng.integers(0, CLASSES, (2, 4, 9, 9))
    batch = BoundaryIoU(CLASSES)
    batch.update(torch.from_numpy(preds), torch.from_numpy(targets))
    assert batch.scores == score_of(*zip(preds, targets, strict=True)).scores
    assert len(batch.scores) == 4


HALVES = np.repeat([[0] * 5 + [1] * 5], 6, axis=0)


def test_half_of_the_band_right_is_a_third() -> None:
    """The band is columns 3 to 6; of each row two of its four pixels are right."""
    pred = HALVES.copy()
    pred[:, [3, 6]] = 2
    assert score_of((pred, HALVES)).value() == pytest.approx(1 / 3)


def test_errors_far_from_a_border_do_not_count_unless_literal() -> None:
    pred = HALVES.copy()
    pred[:, [0, 1, 2, 7, 8, 9]] = 2
    assert score_of((pred, HALVES)).value() == 1
    assert score_of((pred, HALVES), literal=True).value() == 0


def test_per_class_by_hand() -> None:
    """Within the band all is class 0: 2 of 4 columns of class 0, none of class 1."""
    pred = np.zeros_like(HALVES)
    assert score_of((pred, HALVES), per_class=True).value() == pytest.approx(0.25)
    assert score_of((pred, HALVES)).value() == pytest.approx(1 / 3)


def test_an_image_without_a_border_is_left_out() -> None:
    """The edge of the image is none; in the literal form only insides count."""
    plain = np.ones((6, 6), int)
    assert score_of((plain, plain)).scores == []
    assert math.isnan(score_of((plain, plain)).value())
    assert score_of((plain, plain), literal=True).scores == [1]
    stripes = np.indices((6, 6)).sum(0) % 2
    assert score_of((stripes, stripes), literal=True).scores == []


def test_next_to_ignored_pixels_is_a_border() -> None:
    """Which are not in the band themselves, whatever is predicted there."""
    target = np.array([[0, 0, 0, 0, 255]])
    assert score_of((np.array([[1, 1, 0, 0, 7]]), target)).scores == [1]
    assert score_of((np.array([[0, 0, 1, 0, 7]]), target)).scores == pytest.approx([1 / 3])


def test_empty_is_nan() -> None:
    assert math.isnan(BoundaryIoU(2).value())


@pytest.mark.parametrize("pred", [-1, 3, 255])
def test_a_prediction_out_of_range_is_an_error(pred: int) -> None:
    """And nothing of its batch counts."""
    metric = BoundaryIoU(CLASSES)
    wrong = HALVES.copy()
    wrong[2, 4] = pred
    with pytest.raises(InputError, match=rf"predictions range from .*{pred}.*\[0, 3\)"):
        metric.update(np.stack([HALVES, wrong]), np.stack([HALVES, HALVES]))
    assert metric.scores == []


def test_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3, 2\)"):
        BoundaryIoU(2).update(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ShapeError, match=r"\(4,\); expected \(H, W\) or \(B, H, W\)"):
        BoundaryIoU(2).update(np.zeros(4, int), np.zeros(4, int))


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_stored_scores_out_of_range(score: float) -> None:
    metric = BoundaryIoU(2)
    with pytest.raises(InputError, match=r"image's score is .*expected one in \[0, 1\]"):
        metric.add_scores([0.5, score])
    assert metric.scores == []


@pytest.mark.parametrize("options", [{}, {"per_class": True}], ids=str)
def test_there_must_be_a_class(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="num_classes is 0"):
        BoundaryIoU(0, **options)
