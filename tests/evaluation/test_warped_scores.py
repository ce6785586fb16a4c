"""Scores of a prediction and the next frame's, warped back onto it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import InputError
from ditta_adapt.evaluation import evaluate, pool
from ditta_adapt.evaluation.evaluate import RESULTS
from ditta_adapt.evaluation.extra import Classes
from ditta_adapt.evaluation.pseudo_label_scores import PseudoLabels
from ditta_adapt.evaluation.result_file import read_results
from ditta_adapt.evaluation.scores import Scores
from ditta_adapt.evaluation.temporal_consistency import TemporalConsistency
from tests.evaluation.moving_square import SIZE, STEP, KnownFlow, counted, run_listed, square
from tests.evaluation.test_motion import textured
from tests.evaluation.toy_dataset import toy_dataset, toy_plan

NAMES = ("TC", "retained", *PseudoLabels.names[:-1], "J", "J&F", "F")
PIXELS = SIZE[0] * (SIZE[1] - STEP)
"""Those that do not leave the image."""


def tc(predictions: list[Tensor], flow: KnownFlow | None = None) -> float:
    extra = TemporalConsistency(Classes(3, 3))
    counts = counted(extra, predictions, [None] * len(predictions), flow)
    return TemporalConsistency.pooled([counts])["TC"]


def test_what_moves_with_the_flow_is_consistent() -> None:
    assert tc([square(4 + STEP * t) for t in range(4)]) == 1


def test_what_stays_behind_by_hand() -> None:
    # Warped back, the second square begins in column 2: four of six columns agree.
    both, either = 6 * 4, 6 * 8
    assert tc([square(4), square(4)]) == pytest.approx(
        (both / either + (PIXELS - either) / (PIXELS - both)) / 2
    )


def test_pixels_that_are_not_trusted_do_not_count() -> None:
    assert math.isnan(tc([square(4)] * 3, KnownFlow(STEP, STEP)))
    assert math.isnan(tc([square(4)]))


def test_classes_that_are_only_in_the_later_prediction_are_not_averaged() -> None:
    later = square(4 + STEP)
    later[5, 6] = 2
    assert tc([square(4), later]) == pytest.approx((35 / 36 + 1) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_an_independent_formula(seed: int) -> None:
    maps = np.random.default_rng(seed).integers(0, 3, (5, *SIZE))
    before, after = maps[:-1, :, :-STEP], maps[1:, :, STEP:]
    ious = [
        np.logical_and(before == c, after == c).sum() / np.logical_or(before == c, after == c).sum()
        for c in range(3)
    ]
    assert tc(list(torch.from_numpy(maps))) == pytest.approx(np.mean(ious))


def test_a_class_that_the_model_does_not_have() -> None:
    with pytest.raises(InputError, match="a prediction is class 3; TC expects one of the model's"):
        tc([square(4, label=3)])


def test_pseudo_labels_by_hand() -> None:
    # The truth moves; the prediction of the first frame is one column late, the second one right.
    shown, true = [square(5), square(6)], [square(4), square(6)]
    counts = counted(PseudoLabels(Classes(2, 2)), shown, true)
    pooled = PseudoLabels.pooled([counts])
    late, differing = 6 * 5 / (6 * 7), 12
    background = (PIXELS - 42) / (PIXELS - 30)
    assert pooled == pytest.approx(
        {
            "PL-PredConsis-mIoU": (late + background) / 2,
            "PL-Warped-mIoU": 1,
            "PL-Warped-Acc": 1,
            "PL-Consistency-mIoU": 1,
            "PL-Consistency-Acc": 1,
            "retained": 1 - differing / PIXELS,
        }
    )
    # Of a wrong label that both have.
    counts = counted(PseudoLabels(Classes(2, 2)), [square(5), square(7)], true)
    pooled = PseudoLabels.pooled([counts])
    assert pooled["retained"] == 1
    assert pooled["PL-Consistency-mIoU"] == pytest.approx((late + background) / 2)
    assert pooled["PL-Warped-Acc"] == pytest.approx((30 / 36 + (PIXELS - 42) / (PIXELS - 36)) / 2)


def test_frames_without_labels_between_others() -> None:
    """A video that stands still, so that every pixel is trusted; labels of frames 0 and 2."""
    labels = [square(4).numpy() if t in (0, 2, 4) else None for t in range(5)]
    result = run_listed([square(4)] * 5, labels, ["TC", "PL-Warped-mIoU"])
    area = SIZE[0] * SIZE[1]
    assert sum(cell[2] for cell in result.extras["TC"]["cells"]) == 4 * area
    # The last frame has no next one.
    assert result.extras["PL"]["valid"] == result.extras["PL"]["retained"] == 2 * area


def test_without_labels() -> None:
    result = run_listed([square(4)] * 3, [None] * 3, NAMES)
    (row,) = pool([result], Scores(NAMES))
    assert row.scores["TC"] == 1
    assert all(math.isnan(value) for name, value in row.scores.items() if name[0] in "PJF")


def test_classes_without_counterpart_are_true_nowhere() -> None:
    """TC is of the model's own classes, of which two are of no label's."""
    shown = square(4, label=2)
    shown[15:] = 1
    shown[18:] = 3
    labels = [square(4).numpy()] * 2
    names = ["TC", "PL-Warped-mIoU"]
    result = run_listed([shown] * 2, labels, names, relabel=np.array([0, -1, 1, -1]))
    area = SIZE[0] * SIZE[1]
    assert result.extras["TC"] == {
        "classes": 4,
        "cells": [[0, 0, 15 * 24 - 36], [1, 1, 3 * 24], [2, 2, 36], [3, 3, 2 * 24]],
    }
    assert result.extras["PL"]["classes"] == 3
    assert result.extras["PL"]["warped"] == [[0, 0, 15 * 24 - 36], [0, 2, 5 * 24], [1, 1, 36]]
    (row,) = pool([result], Scores(tuple(names)))
    assert row.scores["TC"] == 1
    # Background, square, and the class that is true nowhere.
    assert row.scores["PL-Warped-mIoU"] == pytest.approx(((15 * 24 - 36) / (area - 36) + 1 + 0) / 3)


def test_the_librarys_flow_on_a_square_that_moves() -> None:
    frames = textured(5)
    shown = []
    for t in range(5):
        labels = torch.zeros(96, 128, dtype=torch.int64)
        labels[30:60, 40 + STEP * t : 70 + STEP * t] = 1
        shown.append(labels)
    moving = run_listed(shown, [None] * 5, ["TC"], frames=frames)
    still = run_listed(shown[:1] * 5, [None] * 5, ["TC"], frames=frames)
    scores = [pool([each], Scores(("TC",)))[0].scores["TC"] for each in (moving, still)]
    assert scores[0] > 0.98
    assert scores[1] < 0.94


def test_a_run_on_disk_pools_to_the_same_in_any_order(tmp_path: Path) -> None:
    plan = toy_plan(dataset=toy_dataset("abc"), methods=["image-model"], scores=Scores(NAMES))
    results = evaluate(plan, tmp_path)
    # What is asked of a part of a family is measured with all of it.
    smaller = toy_plan(
        dataset=toy_dataset("abc"),
        methods=["image-model"],
        scores=Scores(("F", "TC", "PL-Warped-Acc")),
    )
    ran: list[object] = []
    again = evaluate(smaller, tmp_path, lambda *case: ran.append(case))
    assert not ran
    assert list(pool(again, smaller.scores)[0].scores) == [*smaller.scores.names, "changed"]
    rows = [pool(found, plan.scores)[0] for found in (results, again)]
    read = read_results(tmp_path / RESULTS)
    rows += [pool(found, plan.scores)[0] for found in (read, read[::-1])]
    assert list(rows[0].scores) == [*NAMES, "changed"]
    assert not any(map(math.isnan, rows[0].scores.values()))
    assert all(row.scores == rows[0].scores for row in rows)
    # A video at a time is another number: counts are pooled, not scores.
    alone = [pool([result], plan.scores)[0].scores["TC"] for result in results]
    assert rows[0].scores["TC"] != pytest.approx(np.mean(alone), abs=1e-9)
