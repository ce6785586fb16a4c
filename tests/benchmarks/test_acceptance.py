"""Choosing a threshold by leaving one video out, by hand."""

import math

import pytest

from benchmarks.acceptance import Case, best_threshold


def cases(good: list[float], wrong: list[float]) -> list[Case]:
    return [
        *(Case("a", "good", ratio) for ratio in good),
        *(Case("a", "moved", ratio) for ratio in wrong),
    ]


def test_in_the_middle_between_good_and_wrong() -> None:
    assert best_threshold(cases([0.1, 0.2], [0.8, 5.0])) == pytest.approx(math.sqrt(0.2 * 0.8))


def test_with_fewest_errors_where_they_overlap() -> None:
    """One wrong one lies among the good: the gap between .3 and 2.7 has one error."""
    assert best_threshold(cases([0.1, 0.2, 0.3], [0.15, 2.7])) == pytest.approx(0.9)
