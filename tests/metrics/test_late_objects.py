"""Objects that begin later, by hand and beside a package that scores them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError
from ditta_adapt.metrics import JAndF


def square(*places: tuple[int, int]) -> np.ndarray:
    """Objects 1, 2, ... of 3 x 3 pixels at these rows and columns; none at a negative row."""
    labels = np.zeros((12, 16), np.uint8)
    for number, (top, left) in enumerate(places, start=1):
        if top >= 0:
            labels[top : top + 3, left : left + 3] = number
    return labels


def test_a_late_object_counts_after_its_own_first_frame() -> None:
    truth = [square((0, 0)), square((0, 0)), square((0, 0), (5, 5)), *[square((0, 0), (5, 5))] * 3]
    # One column off, so that two of four columns are shared: J = 6 / 12.
    preds = [*truth[:3], *[square((0, 0), (5, 6))] * 3]
    metric = JAndF()
    assert metric.add_video(preds, truth, late=True) == [1, 2]
    first, second = metric.scores
    assert first.j == [1.0] * 4
    # Given in frame 2, last in frame 5: of the four frames since, two are left.
    assert second.j == [0.5] * 2


def test_without_late_ones_other_ids_are_background() -> None:
    truth = [square((0, 0)), *[square((0, 0), (5, 5))] * 3]
    metric = JAndF()
    assert metric.add_video([square((0, 0))] * 4, truth) == [1]
    assert metric.scores[0].j == [1.0, 1.0]
    with pytest.raises(InputError, match="has the object id 2"):
        metric.add_video(truth, truth)
    with pytest.raises(InputError, match="has the object id 2"):
        metric.add_video([truth[1]] * 4, [truth[0]] * 4, late=True)
    assert len(metric.scores) == 1


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), length=st.integers(4, 7), begins=st.integers(1, 3))
def test_beside_a_package_that_scores_late_objects(seed: int, length: int, begins: int) -> None:
    """It counts the frame in which an object is given, too, where there is nothing to find."""
    evaluator = pytest.importorskip("vos_benchmark.evaluator").Evaluator()
    random = np.random.default_rng(seed)
    truth, preds = [], []
    for t in range(length):
        places = [(int(random.integers(9)), int(random.integers(6))) for _ in range(2)]
        late = (int(random.integers(9)), int(random.integers(7, 13)) if t >= begins else 9)
        late = late if t >= begins else (-1, 0)
        truth.append(square(places[0], late))
        shifted = (late[0], min(late[1] + int(random.integers(2)), 13))
        preds.append(square(places[1], shifted if t > begins else late))
    metric = JAndF()
    ids = metric.add_video(preds, truth, late=True)
    for pred, target in zip(preds[1:-1], truth[1:-1], strict=True):
        evaluator.feed_frame(pred, target)
    for number, scores in zip(ids, metric.scores, strict=True):
        theirs = evaluator.object_iou[number], evaluator.boundary_f[number]
        own = slice(1, None) if number == 2 else slice(None)
        assert scores.j == pytest.approx(theirs[0][own], abs=1e-12)
        assert scores.f == pytest.approx(theirs[1][own], abs=1e-12)
