"""Labelled source frames: which are drawn, how they are cut, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain.source_clips import LabelledFrame, SourceClips, cover, nearest


def video(name: str, labels: list[Any], size: tuple[int, int] = (4, 6)) -> LabelledVideo:
    """Frames of one grey value each, ten times their place; a label of one class each, or none."""
    frames = [np.full((*size, 3), 10 * t, np.uint8) for t in range(len(labels))]
    maps = [None if each is None else np.full(size, each, np.uint8) for each in labels]
    return LabelledVideo(name, frames, maps)


def draw(videos: list[LabelledVideo], length: int, seed: int = 0, **options: Any) -> list[Any]:
    """Of a single video, twice the same."""
    clips = SourceClips(videos * 2 if len(videos) == 1 else videos, 4)
    options = {"together": True} | options
    found = clips.draw(length, (4, 6), np.random.default_rng(seed), **options)
    return [(int(each.frame[0, 0, 0]), int(each.labels[0, 0])) for each in found]


@given(st.integers(0, 50))
def test_neighbours_of_one_video_with_their_labels(seed: int) -> None:
    found = draw([video("a", [0, 1, 2, 3, 0, 1]), video("b", [3, 2, 1, 0, 3, 2])], 3, seed)
    places = [grey // 10 for grey, _ in found]
    assert places == [min(places[0] + step, 5) for step in range(3)]
    assert [label for _, label in found] in (
        [place % 4 for place in places],
        [(3 - place) % 4 for place in places],
    )


@given(st.integers(0, 20))
def test_frames_without_labels_are_passed_over(seed: int) -> None:
    found = draw([video("a", [None, None, 2, None, None])], 2, seed)
    assert found == [(20, 2), (20, 2)]


@given(st.integers(0, 20))
def test_a_video_without_labels_is_passed_over(seed: int) -> None:
    found = draw([video("a", [None, None]), video("b", [3, 3]), video("c", [None])], 2, seed)
    assert [label for _, label in found] == [3, 3]


def test_on_their_own_they_come_from_everywhere() -> None:
    found = draw([video("a", [0] * 6), video("b", [1] * 6)], 40, together=False)
    assert {label for _, label in found} == {0, 1}
    assert len({grey for grey, _ in found}) == 6


def test_pixels_that_do_not_count() -> None:
    clips = SourceClips([video("a", [255])] * 2, 4)
    (found,) = clips.draw(1, (4, 6), np.random.default_rng(0), together=True)
    assert found.labels.unique().tolist() == [-1]


def test_a_frame_is_scaled_by_one_factor_and_cut() -> None:
    # 4 x 6 to cover 4 x 4: not scaled, and cut on the left, in the middle, on the right.
    frame = torch.arange(6, dtype=torch.uint8).repeat(3, 4, 1)
    labels = torch.arange(6).repeat(4, 1)
    for place, first in ((0.0, 0), (0.5, 1), (1.0, 2)):
        cut = cover(LabelledFrame(frame, labels), (4, 4), (0.3, place))
        assert cut.labels[0].tolist() == [first, first + 1, first + 2, first + 3]
        assert cut.frame[0, 0].tolist() == cut.labels[0].tolist()
    # Twice as large: every pixel twice.
    large = cover(LabelledFrame(frame, labels), (8, 12), (0.0, 0.0))
    assert large.labels[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert large.frame.shape == (3, 8, 12)


@given(*(st.integers(1, 20) for _ in range(4)), st.floats(0, 1), st.floats(0, 1))
def test_any_size_is_covered(h: int, w: int, height: int, width: int, y: float, x: float) -> None:
    own = LabelledFrame(torch.full((3, h, w), 7, dtype=torch.uint8), torch.full((h, w), 3))
    cut = cover(own, (height, width), (y, x))
    assert cut.frame.shape == (3, height, width)
    assert cut.labels.shape == (height, width)
    assert cut.frame.unique().tolist() == [7]
    assert cut.labels.unique().tolist() == [3]


def test_nearest_by_hand() -> None:
    assert nearest(torch.tensor([[1, 2, 3, 4]]), (1, 2)).tolist() == [[2, 4]]
    assert nearest(torch.tensor([[-1, 300]]), (2, 4)).tolist() == [[-1, -1, 300, 300]] * 2


def test_some_of_the_videos() -> None:
    clips = SourceClips([video("a", [0]), video("b", [1]), video("c", [2])], 4).only([2, 0])
    assert len(clips) == 2
    random = np.random.default_rng(0)
    drawn = [clips.draw(1, (4, 6), random, together=True)[0] for _ in range(20)]
    assert {int(each.labels[0, 0]) for each in drawn} == {0, 2}


def test_labelled_frames_spread_evenly() -> None:
    clips = SourceClips([video("a", [0, 1, 2, 3, 0]), video("b", [None, 1, None])], 4)
    first, second = clips.spread(3)
    assert [int(each.frame[0, 0, 0]) for each in first] == [0, 20, 40]
    assert [int(each.labels[0, 0]) for each in first] == [0, 2, 0]
    # From its first and second frame on the same one is found, and none behind the last.
    assert [int(each.frame[0, 0, 0]) for each in second] == [10]
    (only,) = SourceClips([video("a", [1, None, None])] * 2, 4).only([0]).spread(1)
    assert [int(each.labels[0, 0]) for each in only] == [1]
    # A video without labels is passed over.
    assert list(SourceClips([video("a", [None]), video("b", [2])], 4).only([0]).spread(2)) == []
    assert len(list(SourceClips([video("a", [None]), video("b", [2])], 4).spread(2))) == 1


class Named(list):  # type: ignore[type-arg]
    """A data set of three classes."""

    name, names = "named", ("a",)
    class_names, palette = ("x", "y", "z"), np.zeros((3, 3), np.uint8)


@pytest.mark.parametrize(
    ("videos", "match"),
    [
        ([], "the source has 0 videos"),
        (Named([video("a", [0])] * 2), "3 classes and the model 4"),
        ([video("a", [None, None])], "no video of the source has labels"),
        ([video("a", [4])], r"'a', frame 0: labels from 4 to 4; expected .* \[0, 4\), or 255"),
        (
            [LabelledVideo("a", [np.zeros((4, 6, 3), np.uint8)], [np.zeros((4, 5), np.uint8)])],
            r"labels have shape \(4, 5\)",
        ),
        (
            [LabelledVideo("a", [np.zeros((4, 6, 3), np.uint8)], [np.zeros((4, 6))])],
            "dtype float64",
        ),
        (
            [
                LabelledVideo(
                    "a",
                    [np.zeros((4, 6, 3), np.uint8)],
                    [np.zeros((4, 6), np.uint8)],
                    np.zeros(4, np.int64),
                )
            ],
            "labels of other classes",
        ),
    ],
)
def test_what_is_refused(videos: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        draw(videos, 1)
