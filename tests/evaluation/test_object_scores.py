"""J and F, frame by frame, are those of the measure that takes whole videos."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt.evaluation.extra import Classes
from ditta_adapt.evaluation.object_scores import ObjectScores
from ditta_adapt.metrics import JAndF
from tests.evaluation.moving_square import counted, run_listed, square

TWO = Classes(2, 2)


def test_by_hand() -> None:
    targets = [square(4 + 2 * t) for t in range(4)]
    # The first and the last are left out, however wrong.
    shown = [square(0), square(7), square(8), square(0)]
    ((j, f),) = counted(ObjectScores(TWO), shown, targets)
    assert j == [6 * 5 / (6 * 7), 1]
    assert f[1] == 1
    pooled = ObjectScores.pooled([[[j, f]]])
    assert pooled == {"J": sum(j) / 2, "F": sum(f) / 2, "J&F": (sum(j) + sum(f)) / 4}


def random_maps(seed: int, count: int, classes: int) -> list[Tensor]:
    coarse = np.random.default_rng(seed).integers(0, classes, (count, 5, 6))
    return list(torch.from_numpy(coarse.repeat(4, 1).repeat(4, 2)))


def test_the_measure_itself_gives_the_same() -> None:
    shown, targets = random_maps(0, 6, 5), random_maps(1, 6, 5)
    # Class 4 is in no first target: predicted, it is no object; true, it is background.
    targets[0][targets[0] == 4] = 0
    targets[2][3:9] = -1
    scores = counted(ObjectScores(Classes(5, 5)), shown, targets)
    measure = JAndF()
    measure.add_video(
        [torch.where(labels < 4, labels, 0) for labels in shown],
        [torch.where(labels >= 0, labels, 255) for labels in targets],
    )
    assert [tuple(pair) for pair in scores] == measure.scores
    assert len(scores) == 3
    assert ObjectScores.pooled([scores])["J&F"] == measure.value()


def test_objects_of_all_videos_weigh_the_same() -> None:
    one, two = [[[1.0, 0.5], [0.5, 0.5]]], [[[0.0], [0.0]], [[0.25], [0.0]]]
    pooled = ObjectScores.pooled([one, two])
    assert pooled["J"] == pytest.approx((0.75 + 0 + 0.25) / 3)
    assert pooled["F"] == pytest.approx(0.5 / 3)
    assert ObjectScores.pooled([two, one]) == pooled


@pytest.mark.parametrize("count", [1, 2])
def test_two_frames_add_nothing(count: int) -> None:
    assert counted(ObjectScores(TWO), [square(4)] * count, [square(4)] * count) == []
    assert all(map(math.isnan, ObjectScores.pooled([[]]).values()))


def test_no_object() -> None:
    empty = square(4, label=0)
    assert counted(ObjectScores(TWO), [square(4)] * 4, [empty, *[square(4)] * 3]) == []


def test_frames_without_labels_are_left_out() -> None:
    targets: list[Tensor | None] = [None, square(4), square(6), None, square(8), None]
    shown = [square(0), square(4), square(7), square(0), square(8), square(0)]
    ((j, _),) = counted(ObjectScores(TWO), shown, targets)
    assert j == [6 * 5 / (6 * 7)]


def test_of_a_relabelled_prediction() -> None:
    """Classes 3 and 4 of the model are the object; class 1 has no counterpart."""
    labels = [square(4).numpy().astype(np.uint8)] * 4
    shown = square(4, label=3)
    shown[8:11][shown[8:11] == 3] = 4
    shown[:2] = 1
    result = run_listed([shown] * 4, labels, ["J&F"], relabel=np.array([0, -1, 0, 1, 1]))
    assert result.extras == {"J&F": [[[1.0, 1.0], [1.0, 1.0]]]}
