"""What cells are compared by: distances by hand, and along few axes."""

import pytest
import torch
from torch import Tensor

from ditta_adapt import PropagationError
from ditta_adapt.teachers.matching.keys import frame_keys, principal_axes


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_distance_is_the_mean_over_maps_and_colours() -> None:
    # Two cells: centred they are opposite, so of unit length they are 2 apart.
    features = torch.tensor([[[[3.0, 5.0]]]])
    frame = torch.zeros(3, 1, 2, dtype=torch.uint8)
    frame[0, 0, 1] = 255  # Red is 2 apart, too, and the other colours are equal.
    keys = frame_keys([features, 7 * features], frame, (1, 2))
    assert keys.shape == (5, 1, 2)
    distance = (keys[:, 0, 0] - keys[:, 0, 1]).square().sum()
    assert distance.item() == pytest.approx((4 + 4 + 4) / 3)


def test_maps_of_any_grid_over_the_frame() -> None:
    frame = torch.zeros(3, 33, 47, dtype=torch.uint8)
    keys = frame_keys([noise(1, 4, 9, 12), noise(1, 2, 33, 47)], frame, (11, 16))
    assert keys.shape == (9, 11, 16)
    lengths = keys[:4].norm(dim=0) * 3**0.5
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-5)


def test_few_axes_keep_distances_that_few_axes_have() -> None:
    low = torch.einsum("dk,khw->dhw", noise(20, 3), noise(3, 6, 7, seed=1)) + noise(20, 1, 1)
    axes = principal_axes(low, 3)
    assert torch.allclose(axes.T @ axes, torch.eye(3).double(), atol=1e-9)
    along = torch.einsum("dhw,dk->khw", low, axes).flatten(1)
    assert torch.allclose(
        torch.cdist(along.T, along.T), torch.cdist(low.flatten(1).T, low.flatten(1).T), atol=1e-6
    )


def test_no_more_axes_than_channels() -> None:
    keys = noise(5, 4, 4)
    axes = principal_axes(keys, 64)
    assert axes.shape == (5, 5)
    assert torch.allclose(axes @ axes.T, torch.eye(5).double(), atol=1e-9)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ([], "empty"),
        ([torch.zeros(3, 4, 4)], "map 0"),
        ([torch.zeros(1, 2, 4, 4, dtype=torch.int64)], "torch.int64"),
        ([torch.full((1, 2, 4, 4), float("inf"))], "not finite"),
    ],
)
def test_what_is_no_map(maps: list[Tensor], message: str) -> None:
    with pytest.raises(PropagationError, match=message):
        frame_keys(maps, torch.zeros(3, 8, 8, dtype=torch.uint8), (4, 4))
