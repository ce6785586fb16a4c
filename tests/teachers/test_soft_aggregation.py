"""Objects that share pixels: by hand, and what always holds."""

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.teachers.soft_aggregation import aggregation_logits


def test_one_object_by_hand() -> None:
    # Odds of .8 are 4, of the background's .2 a quarter: 4 / 4.25.
    shares = aggregation_logits(torch.tensor([[[0.8]]])).softmax(dim=0).flatten()
    assert shares[1].item() == pytest.approx(0.941176, abs=1e-6)


def test_two_objects_by_hand() -> None:
    # p = .6, .5: the background has .2, so odds are .25, 1.5 and 1.
    shares = aggregation_logits(torch.tensor([0.6, 0.5]).view(2, 1, 1)).softmax(dim=0).flatten()
    assert shares.tolist() == pytest.approx([0.0909, 0.5455, 0.3636], abs=1e-4)


@given(st.integers(0, 5).flatmap(lambda n: st.lists(st.floats(0, 1), min_size=n, max_size=n)))
def test_shares_sum_to_one_and_keep_their_order(values: list[float]) -> None:
    found = torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
    shares = aggregation_logits(found).softmax(dim=0)
    assert shares.sum().item() == pytest.approx(1.0)
    assert torch.isfinite(aggregation_logits(found)).all()
    inside = found.flatten().clamp(1e-7, 1 - 1e-7)
    for i, j in permutations(range(len(values)), 2):
        assert inside[i] <= inside[j] or shares[1 + i] >= shares[1 + j] * (1 - 1e-9)
