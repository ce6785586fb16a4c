"""What everybody said of one frame, where it lies on the next."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.streaming.carried import carry

MAPS = st.lists(st.integers(0, 2), min_size=8, max_size=8)


def shifted(maps: Tensor) -> tuple[Tensor, Tensor]:
    moved = maps.roll(1, dims=2)
    moved[:, :, 0] = 0
    return moved, torch.ones(maps.shape[1:], dtype=torch.bool)


@settings(max_examples=30, deadline=None)
@given(plain=MAPS, memory=MAPS)
def test_everybody_is_carried_along(plain: list[int], memory: list[int]) -> None:
    said = {
        "image model": torch.tensor(plain).view(2, 4),
        "memory": torch.tensor(memory).view(2, 4),
    }
    found = carry(said, shifted, 3)
    assert set(found.said) == set(said)
    for name, labels in said.items():
        assert torch.equal(found.said[name][:, 1:], labels[:, :-1])
    assert not found.known[:, 0].any()
    assert found.known[:, 1:].all()


def test_only_what_is_known_of_everybody_counts() -> None:
    """A propagator may lose one of them where it keeps the other."""

    def losing(maps: Tensor) -> tuple[Tensor, Tensor]:
        return maps * (torch.arange(3)[:, None, None] != 1), torch.ones(1, 3, dtype=torch.bool)

    said = {"image model": torch.tensor([[0, 1, 2]]), "memory": torch.tensor([[1, 2, 2]])}
    assert carry(said, losing, 3).known.tolist() == [[False, False, True]]
