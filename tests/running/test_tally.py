"""The numbers of a run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import CheckpointError
from ditta_adapt.running.tally import Tally, mean_of, share_changed
from ditta_adapt.streaming.frame_log import FrameLog


def test_numbers_of_frames() -> None:
    tally = Tally(3)
    first, second = np.array([[0, 1], [2, 2]]), np.array([[0, 2], [2, 0]])
    tally.add(0.5, first, None, FrameLog("memory"))
    tally.add(0.6, second, first, FrameLog("image model", cut=True, looked=True))
    assert tally.times == [0.5, 0.6]
    assert tally.speakers == ["memory", "image model"]
    assert tally.looks == tally.cuts == [1]
    assert np.isnan(tally.changed[0])
    assert tally.changed[1] == 0.5
    assert [list(areas) for areas in tally.areas] == [[0.25, 0.25, 0.5], [0.5, 0, 0.5]]


def test_labels_of_no_class_have_no_area() -> None:
    tally = Tally(2)
    tally.add(0.0, np.array([[255, 1], [1, 0]], np.uint8), None, FrameLog("memory"))
    assert list(tally.areas[0]) == [0.25, 0.5]


def test_flicker_adds_up() -> None:
    tally, known = Tally(2), np.ones((3, 3), bool)
    changed = np.stack([np.eye(3, dtype=bool), np.zeros((3, 3), bool)])
    for _ in range(3):
        tally.add_flicker(known, changed)
    tally.add_flicker(~known, ~changed & False)
    assert (tally.compared == 3).all()
    assert np.array_equal(tally.flickered, 3 * changed)


@given(
    st.lists(st.floats(0, 1e6), max_size=5),
    st.dictionaries(st.integers(0, 999), st.floats(0, 1)),
    st.booleans(),
)
def test_it_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    times: list[float],
    mapping: dict[int, float],
    mapped: bool,
) -> None:
    tally = Tally(4, changed_before=mapping, reliability=dict(list(mapping.items())[:1]))
    for time in times:
        tally.add(time, np.array([[1, 2]]), np.array([[1, 3]]), FrameLog("adapted", looked=True))
    if mapped:
        tally.compared, tally.flickered = np.arange(6).reshape(2, 3), np.ones((2, 2, 3), int)
    path = tmp_path_factory.mktemp("tally") / "tally.npz"
    tally.save(path)
    found = Tally.load(path)
    for name in ("times", "speakers", "looks", "cuts", "changed", "changed_before", "reliability"):
        assert getattr(found, name) == getattr(tally, name)
    assert np.array_equal(found.areas, tally.areas)
    assert found.num_classes == 4
    if mapped:
        assert np.array_equal(found.compared, tally.compared)
        assert np.array_equal(found.flickered, tally.flickered)
    else:
        assert found.compared is None


def test_a_file_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "tally.npz").write_bytes(b"PK")
    for path in (tmp_path / "tally.npz", tmp_path / "missing.npz"):
        with pytest.raises(CheckpointError, match="is missing or broken"):
            Tally.load(path)


def test_means_and_shares() -> None:
    assert mean_of([]) is None
    assert mean_of([float("nan"), 1.0, 2.0]) == 1.5
    assert share_changed(np.array([[1, 2, 3, 4]]), np.array([[1, 2, 0, 0]])) == 0.5
