import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.datasets.lazy import LazySequence, NoLabels


class Squares(LazySequence[int]):
    def __init__(self, length: int) -> None:
        self.length = length
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.length

    def _read(self, index: int) -> int:
        self.read.append(index)
        return index**2


@given(st.integers(0, 8), st.slices(10), st.slices(5))
def test_slices_are_those_of_a_list(length: int, first: slice, second: slice) -> None:
    squares = Squares(length)
    expected = [i**2 for i in range(length)]
    part = squares[first][second]
    assert len(part) == len(expected[first][second])
    assert squares.read == []
    assert list(part) == expected[first][second]
    assert list(squares) == expected


@given(st.integers(0, 6), st.integers(-8, 8))
def test_indices_are_those_of_a_list(length: int, index: int) -> None:
    if -length <= index < length:
        assert Squares(length)[index] == [i**2 for i in range(length)][index]
    else:
        with pytest.raises(IndexError):
            Squares(length)[index]


def test_no_labels() -> None:
    labels = NoLabels([1, 2, 3])
    assert list(labels) == [None] * 3
    assert list(labels[1:]) == [None] * 2


FRAMES = [np.zeros((2, 3, 3), np.uint8)] * 3
LABELS = [np.zeros((2, 3), np.uint8), None, None]


def test_labelled_video_from_lists() -> None:
    video = LabelledVideo("a", FRAMES, LABELS, relabel=np.array([0, 1, 254]))
    assert (video.name, len(video.frames), len(video.labels)) == ("a", 3, 3)
    assert LabelledVideo("a", FRAMES, LABELS).relabel is None


def test_labelled_video_checks_what_it_is_given() -> None:
    with pytest.raises(InputError, match="'a' has 3 frames and 2 labels"):
        LabelledVideo("a", FRAMES, LABELS[:2])
    for table in ([0.0, 1.0], [[0, 0], [0, 0]], [True], []):
        relabel = np.array(table)
        with pytest.raises(InputError, match="relabel has shape"):
            LabelledVideo("a", FRAMES, LABELS, relabel)
    for values in ([0, 255], [-2, 0], [300]):
        with pytest.raises(InputError, match=r"relabel has values from .* 255 is the label of"):
            LabelledVideo("a", FRAMES, LABELS, np.array(values))
