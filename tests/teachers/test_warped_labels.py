"""Labels of one frame on its neighbour."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.teachers.warped_labels import warp_labels


def shifted(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Everything one column to the right; the first column comes from nowhere."""
    moved = maps.roll(1, dims=2)
    moved[:, :, 0] = 0
    valid = torch.ones(maps.shape[1:], dtype=torch.bool)
    valid[:, 0] = False
    return moved, valid


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_labels_move(values: list[int]) -> None:
    labels = torch.tensor(values, dtype=torch.uint8).view(3, 4)
    found, known = warp_labels(shifted, labels, 5)
    assert found.dtype == torch.int64
    assert torch.equal(found[:, 1:], labels[:, :-1].long())
    assert not known[:, 0].any()
    assert known[:, 1:].all()


def test_the_class_with_the_most_mass_wins_between_cells() -> None:
    def half(maps: Tensor) -> tuple[Tensor, Tensor]:
        return 0.7 * maps + 0.3 * maps.roll(1, dims=2), torch.ones(1, 4, dtype=torch.bool)

    found, known = warp_labels(half, torch.tensor([[0, 1, 2, 1]]), 3)
    assert found.tolist() == [[0, 1, 2, 1]]
    assert known.all()


def test_a_cell_that_nothing_came_to_is_not_known() -> None:
    def nothing(maps: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(maps), torch.ones(maps.shape[1:], dtype=torch.bool)

    _, known = warp_labels(nothing, torch.tensor([[0, 1]]), 2)
    assert not known.any()
