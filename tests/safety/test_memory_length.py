"""How long a memory may be, by what it predicted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import AdaptConfig, AttentionAddon, ConfigError, WarpedVotes
from ditta_adapt.safety.memory_length import MemoryLength, length_of
from ditta_adapt.safety.surely_worse import surely_worse

quick = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize(
    ("differences", "refuted"),
    [
        # Mean -.02, standard deviation .005, of three: standard error .0029, 4.3 times which is
        # less; with a standard deviation of .01 it is more.
        ((-0.015, -0.02, -0.025), True),
        ((-0.01, -0.02, -0.03), False),
        ((-0.01, -0.01, -0.01), True),
        ((0.0, 0.0, 0.0), False),
        ((0.01, 0.02, 0.03), False),
        # Two have no error to speak of.
        ((-0.5, -0.5), False),
    ],
)
def test_it_is_halved_where_it_surely_predicts_worse(
    differences: tuple[float, ...], refuted: bool
) -> None:
    length = MemoryLength(0.8).after(*differences)
    assert length.decay == pytest.approx(0.64 if refuted else 0.8)
    assert length.halvings == int(refuted)


@quick
@given(found=st.lists(st.floats(-1, 1), min_size=3, max_size=20))
def test_by_students_t(found: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    quantile = stats.t.ppf(0.975, len(found) - 1)
    assert surely_worse(found) == (MemoryLength(0.5).after(*found).decay == 0.25)
    # Many differences have the quantile of the normal distribution, to one digit.
    margin = 1e-3 if len(found) <= 14 else 0.17
    bound = np.mean(found) + quantile * error
    if abs(bound) > margin * error + 1e-9:
        assert surely_worse(found) == (bound < 0)


def test_one_by_one_or_all_at_once() -> None:
    one = MemoryLength(0.9)
    for difference in (0.01, -0.02, 0.03):
        one = one.after(difference)
    assert one == MemoryLength(0.9).after(0.01, -0.02, 0.03)
    assert one.differences == (0.01, -0.02, 0.03)
    assert one.left == 5


def test_after_a_change_it_is_tested_anew_down_to_an_eighth() -> None:
    length = MemoryLength(0.8)
    for decay in (0.8**2, 0.8**4, 0.8**8):
        length = length.after(-0.1, -0.1, -0.1)
        assert length.decay == pytest.approx(decay)
        assert (length.left, length.differences) == (8, ())
        assert not length.refuted
    assert "an eighth as long" in length.note
    assert "has no say" not in length.note
    # Shorter it does not get; but it can be refuted, and then is no longer heeded.
    assert not length.after(-0.1, -0.1).refuted
    assert not length.after(-0.1, 0.1, -0.1).refuted
    last = length.after(-0.1, -0.1, -0.1)
    assert last.refuted
    assert last.decay == length.decay
    assert last.note.startswith(length.note + "; the memory has no say but by second looks")


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_what_cannot_be_halved_is_refuted_at_once(decay: float) -> None:
    found = MemoryLength(decay).after(-0.1, -0.1, -0.1)
    assert found == MemoryLength(decay, 5, (-0.1, -0.1, -0.1))
    assert found.refuted
    assert found.note.startswith("the memory has no say but by second looks")
    assert not MemoryLength(decay).after(0.1, 0.1, 0.1).refuted


@quick
@given(
    found=st.lists(st.floats(-1, 1), max_size=9),
    decay=st.floats(0, 1),
    left=st.integers(0, 8),
    halvings=st.integers(0, 3),
)
def test_as_values_and_back(found: list[float], decay: float, left: int, halvings: int) -> None:
    length = MemoryLength(decay, left, tuple(found), halvings)
    assert MemoryLength.from_values(json.loads(json.dumps(length.to_values()))) == length


@pytest.mark.parametrize(
    "values",
    [
        [1.1, 8, [], 0],
        [-0.1, 8, [], 0],
        [0.5, -1, [], 0],
        [0.5, 9, [], 0],
        [0.5, 8, [2.0], 0],
        [0.5, 8, [], -1],
        [0.5, 8, [], 4],
        [0.5, float("inf"), [], 0],
        [10**400, 8, [], 0],
        [0.5, 1.5, [], 0],
    ],
)
def test_values_out_of_range(values: list[object]) -> None:
    with pytest.raises(ConfigError, match="expected a decay in"):
        MemoryLength.from_values(values)


def test_where_votes_are_remembered_and_somebody_checks() -> None:
    config, memory = AdaptConfig(), WarpedVotes(decay=0.7)
    assert length_of(config, memory) == MemoryLength(0.7, left=8)
    unchecked = AdaptConfig(safety=None)
    assert length_of(unchecked, memory) == MemoryLength(0.7, left=0)
    assert length_of(config, None) is None
    assert length_of(config, AttentionAddon()) is None
