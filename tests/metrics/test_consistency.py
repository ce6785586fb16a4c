"""mVC is what its definition says."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError
from ditta_adapt.metrics import VideoConsistency
from tests.metrics.consistency_by_hand import Video, consistency, videos, windows_by_hand

quick = settings(max_examples=30)


@quick
@given(several=st.lists(videos(), max_size=3), n=st.integers(2, 6))
def test_it_equals_the_official_definition(several: list[Video], n: int) -> None:
    """All windows of all videos weigh the same."""
    scores = [score for video in several for score in windows_by_hand(video, n)]
    expected = sum(scores) / len(scores) if scores else math.nan
    # A window's share is a quotient in single precision.
    assert consistency(n, *several) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@quick
@given(several=st.lists(videos(), max_size=4), data=st.data(), n=st.integers(2, 4))
def test_order_of_videos_does_not_matter(several: list[Video], data: st.DataObject, n: int) -> None:
    shuffled = data.draw(st.permutations(several))
    expected = consistency(n, *several)
    assert consistency(n, *shuffled) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@quick
@given(video=videos(), n=st.integers(2, 4))
def test_names_of_labels_do_not_matter(video: Video, n: int) -> None:
    """Nor whether the prediction is right: only whether it changes."""
    preds, targets = video
    renamed = (preds * 7 + 3).astype(np.int32), 300 - targets
    assert consistency(n, renamed) == pytest.approx(consistency(n, video), nan_ok=True)


@quick
@given(video=videos(), n=st.integers(2, 4))
def test_a_prediction_that_never_changes_scores_one(video: Video, n: int) -> None:
    preds, targets = video
    value = consistency(n, (np.full_like(preds, 9), targets))
    assert value == 1 if windows_by_hand(video, n) else math.isnan(value)
    value = consistency(n, (targets, targets))
    assert value == 1 if windows_by_hand(video, n) else math.isnan(value)


def test_by_hand() -> None:
    """One window of two frames: wrong but constant 5 and 7 count, and so does constant 255."""
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]])
    assert consistency(2, (preds, targets)) == 0.75


def test_long_videos_weigh_more() -> None:
    """Two windows of 1 and one of 0: 2/3, not the mean of the videos."""
    still, jumpy = np.zeros((4, 1, 1), int), np.array([[[0]], [[1]], [[0]]])
    value = consistency(2, (still, still), (jumpy, np.zeros((3, 1, 1), int)))
    assert value == pytest.approx(2 / 3)


@pytest.mark.parametrize("n", [2, 8])
def test_a_video_of_at_most_n_frames_adds_nothing(n: int) -> None:
    for length in (0, 1, n - 1, n):
        still = np.zeros((length, 2, 2), int)
        assert math.isnan(consistency(n, (still, still)))
    still = np.zeros((n + 1, 2, 2), int)
    assert consistency(n, (still, still)) == 1


def test_windows_do_not_reach_across_videos() -> None:
    """Three videos of one frame each are no video of three frames."""
    frame = np.zeros((1, 1, 1), int)
    assert math.isnan(consistency(2, (frame, frame), (frame, frame), (frame, frame)))


def test_windows_without_a_steady_target_are_left_out() -> None:
    """The target moves between frames 0 and 1, so the first of two windows is empty."""
    targets = np.array([0, 1, 1, 1]).reshape(4, 1, 1)
    preds = np.array([0, 1, 2, 2]).reshape(4, 1, 1)
    assert consistency(2, (preds, targets)) == 0
    assert math.isnan(consistency(3, (preds[:4], np.arange(4).reshape(4, 1, 1))))


@pytest.mark.parametrize("n", [1, 0, -2])
def test_a_window_needs_two_frames(n: int) -> None:
    with pytest.raises(InputError, match=f"window is {n}; expected at least 2"):
        VideoConsistency(n)


@quick
@given(
    several=st.lists(videos(), max_size=3),
    n=st.integers(2, 5),
    windows=st.sampled_from(["official", "paper"]),
    average=st.sampled_from(["windows", "videos"]),
    require_correct=st.booleans(),
    ignored=st.sampled_from([(), (255,), (0, 255)]),
)
def test_every_option_equals_its_definition(
    several: list[Video],
    n: int,
    windows: str,
    average: str,
    require_correct: bool,
    ignored: tuple[int, ...],
) -> None:
    rule: dict[str, Any] = {
        "windows": windows,
        "require_correct": require_correct,
        "ignored": ignored,
    }
    scores = [scores for video in several if (scores := windows_by_hand(video, n, **rule))]
    if average == "videos":
        scores = [[sum(video) / len(video)] for video in scores]
    pooled = [score for video in scores for score in video]
    expected = sum(pooled) / len(pooled) if pooled else math.nan
    value = consistency(n, *several, average=average, **rule)
    assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert math.isnan(value) or 0 <= value <= 1


@quick
@given(several=st.lists(videos(), max_size=4), n=st.integers(2, 4), cut=st.integers(0, 4))
@pytest.mark.parametrize("average", ["windows", "videos"])
def test_stored_scores_pool_to_the_same_value(
    several: list[Video], n: int, cut: int, average: Any
) -> None:
    whole = VideoConsistency(n, average=average)
    pooled = VideoConsistency(n, average=average)
    for video in several:
        whole.add_video(*video)
        alone = VideoConsistency(n)
        alone.add_video(*video)
        for scores in json.loads(json.dumps(alone.scores)):
            pooled.add_scores(scores)
    assert pooled.scores == whole.scores
    assert len(whole.scores) == len(several)
    assert pooled.value() == whole.value() or math.isnan(whole.value())


HAND = (
    np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]]),
    np.array([[[1, 1, 2, 255]]] * 3),
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.75),
        ({"windows": "paper"}, 0.875),
        ({"require_correct": True}, 0.25),
        ({"ignored": [255]}, 2 / 3),
        ({"ignored": [255], "require_correct": True}, 1 / 3),
    ],
    ids=str,
)
def test_options_by_hand(options: dict[str, Any], expected: float) -> None:
    assert consistency(2, HAND, **options) == pytest.approx(expected, abs=1e-12)


def test_videos_may_weigh_the_same() -> None:
    """Two windows of 1 in one video and one of 0 in the other: 1/2."""
    still, jumpy = np.zeros((4, 1, 1), int), np.array([[[0]], [[1]], [[0]]])
    videos = (still, still), (jumpy, np.zeros((3, 1, 1), int))
    assert consistency(2, *videos, average="videos") == 0.5


def test_a_constant_error_is_consistent_but_not_correct() -> None:
    targets = np.zeros((4, 2, 2), int)
    assert consistency(2, (targets + 1, targets)) == 1
    assert consistency(2, (targets + 1, targets), require_correct=True) == 0


def test_a_video_without_a_window_has_an_empty_list() -> None:
    """So that the lists stay in step with the videos."""
    short, long = np.zeros((2, 1, 1), int), np.zeros((4, 1, 1), int)
    metric = VideoConsistency(2)
    metric.add_video(short, short)
    metric.add_video([], [])
    metric.add_video(long, long)
    assert metric.scores == [[], [], [1.0, 1.0]]


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_stored_scores_out_of_range(score: float) -> None:
    metric = VideoConsistency(2)
    with pytest.raises(InputError, match=r"window's score is .*expected one in \[0, 1\]"):
        metric.add_scores([0.5, score])
    assert metric.scores == []


@pytest.mark.parametrize("options", [{"windows": "all"}, {"average": "frames"}], ids=str)
def test_unknown_options(options: dict[str, Any], unchecked: None) -> None:
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"{name} is '{value}'; expected"):
        VideoConsistency(2, **options)
