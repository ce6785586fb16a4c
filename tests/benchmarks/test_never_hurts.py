"""Collect once, judge offline: the sample, the judge replayed, and a case from end to end."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from benchmarks.never_hurts.__main__ import main
from benchmarks.never_hurts.cadence import cadences, run_case, table
from benchmarks.never_hurts.cases import SETS, Case, sample, widths
from benchmarks.never_hurts.collect import collect, open_video
from benchmarks.never_hurts.judging import ERRORS, Collected, iou, leave_out
from benchmarks.never_hurts.lengths import NAMES, compare
from benchmarks.never_hurts.lengths import table as lengths_table
from benchmarks.never_hurts.table import report
from ditta_adapt import Checks, SecondLook
from ditta_adapt.safety.memory_length import MemoryLength


def test_the_sample_is_fixed_and_covers_everything():
    cases = sample()
    assert cases == sample()
    assert len(set(cases)) == len({case.name for case in cases}) == 120
    assert sum(bool(case.corruption) for case in cases) == 40
    assert sum(case.video.startswith("scene-") for case in cases) == 20
    for values, least in (
        ({case.network for case in cases}, 7),
        ({case.stride for case in cases}, 3),
        ({case.warmup for case in cases}, 4),
    ):
        assert len(values) == least
    assert len(widths()) == len(set(widths())) == 4 * 17
    assert set(SETS) == {"sample", "widths", "dev", "scenes"}
    found = SETS["scenes"]()
    assert len({case.name for case in found}) == 64
    assert sum(bool(case.corruption) for case in found) == 16


def test_iou_of_an_object_and_of_classes():
    # Three of the object are found, one is missed, two are invented.
    assert iou(np.array([[[4, 2], [1, 3]]])) == pytest.approx(3 / 6)
    assert iou(np.array([[[4, 0], [0, 0]]])) == 0.0
    counts = np.array([[[2, 1, 0], [0, 2, 0], [0, 0, 5]]])
    assert iou(counts) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def collected(
    warm_up: dict[str, list[float]], looks: dict[int, dict[str, float]], video: str = "a"
) -> Collected:
    """Four frames in which the image model finds half, memory all, the adapted nothing."""
    right = {"image model": 5, "memory": 10, "adapted": 0}
    confusion = {
        name: np.stack([[[90, 0], [10 - found, found]]] * 4) for name, found in right.items()
    }
    about: dict[str, Any] = {
        "case": {"network": "n", "video": video, "corruption": "", "stride": 1, "warmup": 0.1},
        "opinions": warm_up,
        "mvc8": {"default": 1.0, "image model": 0.5, "memory": 0.9, "adapted": 0.9},
        "look_passes": 8.0,
        "warmup_passes": 20.0,
        "warmup": 2,
        "seconds": 1.0,
    }
    true = {t: {"memory": 0.5, "adapted": -0.5} for t in looks}
    return Collected(about, {**confusion, "default": confusion["memory"]}, looks, true)


@pytest.mark.parametrize(
    ("warm_up", "looks", "change"),
    [
        # Nobody is approved: the image model speaks, which finds half.
        ({"memory": [-0.1], "adapted": [-0.1]}, {}, 0.0),
        ({"memory": [0.1, 0.1], "adapted": [-0.1, -0.1]}, {}, 0.5),
        # From the second frame on, which is looked at.
        (
            {"memory": [0.1], "adapted": [-0.1]},
            {1: {"memory": 0.1, "adapted": -0.1}},
            (5 + 10 + 10 + 10) / 40 - 0.5,
        ),
        # The look at the first frame counts for it.
        (
            {"memory": [0.2], "adapted": [0.1, 0.1]},
            {0: {"memory": 0.2, "adapted": -0.3}},
            0.5,
        ),
        # There were no looks, so that nobody judged.
        ({}, {}, 0.5),
    ],
)
def test_the_judge_is_replayed(warm_up, looks, change):
    assert collected(warm_up, looks).replayed(Checks()) == pytest.approx(change)


def test_the_constant_is_chosen_without_the_case_itself():
    """On one video it pays to be bold, on the other it costs: each gets what the other chose."""
    helped = collected({"memory": [0.0, 0.01]}, {}, "helped")
    hurt = collected({"adapted": [0.0, 0.01]}, {}, "hurt")
    bold, shy = Checks(standard_errors=min(ERRORS)), Checks(standard_errors=max(ERRORS))
    assert (helped.replayed(bold), hurt.replayed(bold)) == (0.5, -0.5)
    assert (helped.replayed(shy), hurt.replayed(shy)) == (0.0, 0.0)
    assert leave_out([helped, hurt], lambda case: case.video) == [0.0, -0.5]


@pytest.fixture
def trusted(monkeypatch):
    """Looks at all sizes, which this network's other looks would speak against."""
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *known: ())


@pytest.mark.usefixtures("trusted")
def test_a_case_from_end_to_end(tmp_path, capsys, monkeypatch):
    case = Case("segformer", "scene-3", warmup=0.05, size=(192, 320), frames=5)
    video, warm_up = open_video(case)
    assert (len(video.frames), warm_up) == (8, 3)
    path = collect(case, tmp_path)
    assert collect(case, tmp_path) == path
    found = Collected.read(path)
    # Frames 1 and 4 of the stream were looked at, before they were learned.
    assert sorted(found.opinions) == [0, 3]
    assert found.about["look_passes"] == pytest.approx(2 * (0.75**2 + 1.5**2), rel=0.02)
    assert all(len(each) == 5 for each in found.confusion.values())
    assert found.confusion["default"].sum() == 5 * 192 * 320
    assert abs(found.replayed(Checks()) - found.change("default")) < 0.05
    assert "standard errors" in report([found])

    monkeypatch.setitem(SETS, "sample", lambda: [case])
    assert main(["--out", str(tmp_path), "--judge-only"]) == 0
    assert "clean, default" in capsys.readouterr().out
    assert main(["--out", str(tmp_path / "empty"), "--judge-only"]) == 1


@pytest.mark.usefixtures("trusted")
def test_cadences_are_compared_on_the_same_looks(tmp_path):
    case = Case("segformer", "scene-3", warmup=0.05, size=(192, 320), frames=5)
    row = run_case(case, tmp_path)
    assert set(row) == set(cadences(SecondLook()))
    assert run_case(case, tmp_path) == row
    look = 0.75**2 + 1.5**2
    assert {name: found["passes"] for name, found in row.items()} == {
        "the warm-up alone": 0.0,
        # Frames 1 and 4 of five.
        **dict.fromkeys(
            ("the first looks alone", "default", "default, twice the budget"),
            pytest.approx(2 * look / 5, rel=0.02),
        ),
        **dict.fromkeys((f"one in {n} frames" for n in (32, 16, 8)), 0.0),
        "one in 4 frames": pytest.approx(look / 5, rel=0.02),
    }
    known = [{name: dict(found, iou=iou) for name, found in row.items()} for iou in (0.01, -0.05)]
    assert table(known).splitlines()[2].split("|")[4].strip() == "-0.0200"


def test_a_model_that_is_trusted_at_no_size_looks_at_no_frame(tmp_path, monkeypatch):
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *known: (0.75,))
    row = run_case(Case("segformer", "scene-3", warmup=0.05, size=(192, 320), frames=3), tmp_path)
    assert set(row) == set(cadences(SecondLook()))
    assert {found["passes"] for found in row.values()} == {0.0}
    assert len({found["iou"] for found in row.values()}) == 1


def test_lengths_of_the_memory_are_compared(tmp_path):
    case = Case("segformer", "scene-3", warmup=0.1, size=(192, 320), frames=6)
    found = compare(case, tmp_path)
    again = compare(case, tmp_path)
    assert np.array_equal(found.confusion, again.confusion)
    assert found.confusion.shape == (6, 6, 9, 9)
    # Six frames of warm-up and six after them, all but the first predicted at four lengths.
    assert found.differences.shape == (11, 4)
    # The second frame is predicted by the first one alone.
    assert not found.differences[0].any()
    assert found.differences[1:].any()
    lines = lengths_table([found, found]).splitlines()
    assert len(lines) == 2 + len(NAMES) + 4
    # Never refuted, it is as long as asked for; doubted, as it is in the warm-up, it has no say.
    with patch.object(MemoryLength, "after", lambda length, *found: length):
        assert found.replayed(1.0) == 0.0
        with patch.object(MemoryLength, "doubted", False):
            assert found.replayed(1.0) == found.change("decay 0.85") != 0.0


def test_corrupted_frames_are_the_same_each_time(tmp_path: Path):
    case = Case("segformer", "scene-4", corruption="gaussian_noise:low", frames=2, warmup=0.05)
    one, other = (open_video(case)[0].frames[0] for _ in range(2))
    assert np.array_equal(one, other)
    clean = open_video(Case("segformer", "scene-4", frames=2, warmup=0.05))[0].frames[0]
    assert not np.array_equal(one, clean)
