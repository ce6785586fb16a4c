"""Which colours two frames share."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.ops.shared_colours import shared_colours


def frame(seed: int, size: tuple[int, int]) -> Tensor:
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))


def by_counting(one: Tensor, other: Tensor) -> float:
    """Cell by cell, each of the other frame taken once."""
    left = [tuple(min(int(v * 8), 7) for v in cell) for cell in other.flatten(1).T.tolist()]
    found = 0
    for cell in one.flatten(1).T.tolist():
        colour = tuple(min(int(v * 8), 7) for v in cell)
        if colour in left:
            left.remove(colour)
            found += 1
    return found / one[0].numel()


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_as_counted_by_hand(first: int, second: int, height: int, width: int) -> None:
    # Few colours, so that some are shared.
    one, other = (frame(seed, (height, width)) * 0.4 for seed in (first, second))
    found = shared_colours(one, other)
    assert float(found) == pytest.approx(by_counting(one, other))
    assert float(found) == float(shared_colours(other, one))


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_wherever_they_are(seed: int, height: int, width: int) -> None:
    one = frame(seed, (height, width))
    moved = one.flatten(1)[:, torch.randperm(height * width)].view_as(one)
    assert float(shared_colours(one, moved)) == 1


def test_the_ends_of_the_range() -> None:
    black, white = torch.zeros(3, 4, 5), torch.ones(3, 4, 5)
    assert float(shared_colours(black, white)) == 0
    assert float(shared_colours(white, white)) == 1
    half = white.clone()
    half[:, :2] = 0
    assert float(shared_colours(white, half)) == 0.5
