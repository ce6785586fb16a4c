"""How long a memory may be, by what it predicted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import AdaptConfig, AttentionAddon, ConfigError, WarpedVotes
from ditta_adapt.safety.memory_length import MemoryLength, length_of
from ditta_adapt.safety.surely_worse import rather_worse, surely_worse

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
@given(found=st.lists(st.floats(-1, 1), min_size=3, max_size=16))
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
    assert "an eighth as long" in length.note
    assert length.after(-0.1, -0.1, -0.1).decay == length.decay


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_what_cannot_be_halved_stays(decay: float) -> None:
    found = MemoryLength(decay).after(-0.1, -0.1, -0.1)
    assert found == MemoryLength(decay, 5, (-0.1, -0.1, -0.1))
    assert found.note.startswith("the memory has no say but by second looks")


@pytest.mark.parametrize(
    ("differences", "halvings", "doubted"),
    [
        # Mean -.02; standard errors .0231 and .0173.
        ((-0.06, 0.02, -0.02), 0, False),
        ((-0.05, 0.01, -0.02), 0, True),
        ((0.05, -0.01, 0.02), 0, False),
        ((0.0, 0.0, 0.0), 0, False),
        # Of two nothing is said; of one that was made shorter nothing good is known yet.
        ((-0.5, -0.5), 0, False),
        ((0.5, 0.5), 1, True),
        ((0.5, 0.5, 0.5), 1, False),
    ],
)
def test_it_is_doubted_where_it_rather_predicts_worse(
    differences: tuple[float, ...], halvings: int, doubted: bool
) -> None:
    length = MemoryLength(0.8, differences=differences, halvings=halvings)
    assert length.doubted == doubted
    assert ("has no say" in length.note) == doubted


@quick
@given(found=st.lists(st.floats(-1, 1), min_size=3, max_size=20))
def test_who_is_refuted_is_doubted(found: list[float]) -> None:
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    bound = np.mean(found) + error
    if abs(bound) > 1e-9:
        assert rather_worse(found) == (bound < 0)
    assert rather_worse(found) or not surely_worse(found)


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


def test_it_remembers_the_last_sixteen_predictions() -> None:
    found = MemoryLength(0.8).after(*(0.01 * n for n in range(20)))
    assert found.differences == tuple(0.01 * n for n in range(4, 20))
    assert found.left == 0


@pytest.mark.parametrize(("left", "worse", "goes_on"), [(1, 0, 2), (0, 0, 0), (0, 1, 1), (3, 1, 2)])
def test_it_is_tested_while_it_is_new_or_doubted(left: int, worse: int, goes_on: int) -> None:
    """Expected: 0, not at all; 1, where nobody judges; 2, always."""
    length = MemoryLength(0.8, left, (-0.1 * worse,) * 4)
    assert length.doubted == bool(worse)
    assert length.goes_on(judged=False) == (goes_on > 0)
    assert length.goes_on(judged=True) == (goes_on > 1)
