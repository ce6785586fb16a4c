"""Trust in a vote against hand-computed margins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.ops.vote_margin import vote_margin


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ((3.0, 1.0), 1.0),  # (2 (3 - 1) / 4)^2
        ((5.0, 4.0, 1.0), 0.04),  # (2 (5 - 4) / 10)^2
        ((1.0, 1.0), 0.0),
        ((6.0, 2.0, 2.0), 0.64),  # (2 (6 - 2) / 10)^2
        ((0.0, 0.0, 0.0), 0.0),
        ((0.0, 7.0, 0.0), 1.0),
        ((4.0,), 1.0),
        ((0.0,), 0.0),
    ],
)
def test_by_hand(votes: tuple[float, ...], expected: float) -> None:
    assert float(vote_margin(torch.tensor(votes))) == pytest.approx(expected)


@given(
    st.integers(1, 5).flatmap(
        lambda c: st.lists(
            st.lists(st.floats(0, 100), min_size=c, max_size=c), min_size=1, max_size=6
        )
    ),
    st.floats(0.01, 100),
)
def test_equals_the_formula_whatever_the_order_and_the_scale(
    cells: list[list[float]], scale: float
) -> None:
    votes = np.array(cells).T
    ordered = np.sort(votes, axis=0)[::-1]
    second = ordered[1] if len(votes) > 1 else 0.0
    total = votes.sum(0)
    share = np.divide(ordered[0] - second, total, out=np.zeros_like(total), where=total > 0)
    expected = torch.from_numpy(np.minimum(1.0, 2 * share) ** 2)
    given_votes = torch.from_numpy(votes)
    torch.testing.assert_close(vote_margin(given_votes), expected)
    torch.testing.assert_close(vote_margin(given_votes.flip(0)), expected)
    if total.min() > 1e-6:
        torch.testing.assert_close(vote_margin(given_votes * scale), expected)
