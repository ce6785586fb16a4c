"""Losses of test-time training: on a copying network by hand, and gradients by differences."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ditta_adapt.teachers.test_time.objectives import (
    copy_loss,
    entropy_loss,
    mask_autoencoder_loss,
    mask_cycle_loss,
    object_map,
)
from tests.teachers.test_time.networks import Copying, Mixing


def features(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)


TRIPLET = [features(1), features(2), features(3)]


def soft(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1).expand(-1, 3, 4)


def hard() -> Tensor:
    masks = torch.zeros(2, 3, 4, dtype=torch.float64)
    masks[0, 0], masks[1, 1] = 1, 1
    return masks


def test_copying_closes_every_cycle() -> None:
    # Probabilities are kept 1e-7 from 0 and 1, so nothing is quite certain.
    assert mask_cycle_loss(Copying(), TRIPLET, hard()).item() == pytest.approx(0, abs=1e-6)
    assert entropy_loss(Copying(), TRIPLET, hard()).item() == pytest.approx(0, abs=1e-5)


def test_copying_an_undecided_mask_by_hand() -> None:
    # Each time a mask is remembered and read anew, soft aggregation has changed p to p': with
    # odds o = p / (1 - p), those of the background are 1 / o, so p' = o / (o + 1 / o).
    p = 0.6
    for _ in range(4):
        odds = p / (1 - p)
        p = odds / (odds + 1 / odds)
    loss = mask_cycle_loss(Copying(), TRIPLET, soft(0.6))
    assert loss.item() == pytest.approx(-math.log(p))


def test_entropy_by_hand() -> None:
    def aggregated(p: float) -> float:
        odds = p / (1 - p)
        return odds / (odds + 1 / odds)

    def entropy(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    once = aggregated(0.55)
    expected = (entropy(once) + entropy(aggregated(once))) / 2
    assert entropy_loss(Copying(), TRIPLET, soft(0.55)).item() == pytest.approx(expected)


def test_what_is_read_when() -> None:
    network = Mixing()
    mask_cycle_loss(network, TRIPLET, hard())
    # Forward from one frame, then two; back from one, then two.
    assert network.calls == [1, 2, 1, 2]
    network.calls.clear()
    mask_cycle_loss(network, [features(seed) for seed in range(5)], hard())
    assert network.calls == [1, 2, 3, 4, 1, 2, 3, 4]
    network.calls.clear()
    entropy_loss(network, [features(seed) for seed in range(5)], hard())
    assert network.calls == [1, 2, 3, 4]


def by_differences(network: Mixing, loss: Callable[[], Tensor]) -> Tensor:
    step, slopes = 1e-6, []
    for index in range(len(network.weights)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                network.weights[index] += sign * step
                values.append(loss().item())
                network.weights[index] -= sign * step
        slopes.append((values[0] - values[1]) / (2 * step))
    return torch.tensor(slopes, dtype=torch.float64)


@pytest.mark.parametrize("name", ["cycle", "entropy", "autoencoder"])
def test_gradients_by_differences(name: str) -> None:
    network = Mixing()
    losses: dict[str, Callable[[], Tensor]] = {
        "cycle": lambda: mask_cycle_loss(network, TRIPLET, hard()),
        "entropy": lambda: entropy_loss(network, TRIPLET, hard()),
        "autoencoder": lambda: mask_autoencoder_loss(network, TRIPLET[0], hard()),
    }
    losses[name]().backward()
    assert network.weights.grad is not None
    assert network.weights.grad.abs().max() > 1e-4
    expected = by_differences(network, losses[name])
    assert torch.allclose(network.weights.grad, expected, atol=1e-7)


def test_nothing_is_detached_on_the_way() -> None:
    made: list[Tensor] = []

    class Watched(Copying):
        def encode_memory(self, features: Tensor, masks: Tensor) -> Tensor:
            if not masks.requires_grad:
                masks = masks.clone().requires_grad_()
            masks.retain_grad()
            made.append(masks)
            return masks

    mask_cycle_loss(Watched(), TRIPLET, soft(0.6, 0.2)).backward()
    # The start, three predictions: i, j, and i on the way back. That of i is not read again.
    assert len(made) == 4
    for masks in made[2:]:
        assert masks.grad is not None
        assert masks.grad.abs().min() > 0


def test_object_map_by_hand() -> None:
    masks = torch.tensor([[[0.2, 0.6, 0.3]], [[0.3, 0.3, 0.4]]])
    assert object_map(masks).tolist() == [[0, 1, 2]]


def test_the_loss_of_a_copy_by_hand() -> None:
    # A share of .8 has odds of 4, the rest of .2 a quarter, so the object gets 4 / 4.25.
    share = torch.full((1, 1, 1), 0.8, dtype=torch.float64)
    assert copy_loss(share) == pytest.approx(-math.log(4 / 4.25))
    # And a cell that it mostly leaves is the background's: .25 / 4.25 of it are the object's.
    assert copy_loss(1 - share) == pytest.approx(-math.log(4 / 4.25))
    hard = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)
    assert copy_loss(hard) == pytest.approx(0.0, abs=1e-6)
