"""Matching: against a loop in float64, on shifts that are known, and its gradients."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.teachers.matching.affinity import nearest


def random_keys(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(
    query: Tensor,
    memory: Tensor,
    values: Tensor,
    reach: list[int],
    top_k: int | None,
    temperature: float,
    nearness: float,
) -> Tensor:
    _, height, width = query.shape
    out = torch.zeros(values.shape[1], height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            found = []
            for t, radius in enumerate(reach):
                for v in range(max(0, y - radius), min(height, y + radius + 1)):
                    for u in range(max(0, x - radius), min(width, x + radius + 1)):
                        distance = (query[:, y, x] - memory[t, :, v, u]).square().sum()
                        far = nearness * ((y - v) ** 2 + (x - u) ** 2) / max(height, width) ** 2
                        score = -(float(distance) + far) / temperature
                        found.append((score, values[t, :, v, u]))
            found.sort(key=lambda pair: pair[0], reverse=True)
            best = found[:top_k]
            weights = torch.tensor([s for s, _ in best], dtype=torch.float64).softmax(dim=0)
            out[:, y, x] = sum(w * v for w, (_, v) in zip(weights, best, strict=True))
    return out


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 10),
    reach=st.lists(st.integers(0, 7), min_size=1, max_size=3),
    top_k=st.one_of(st.none(), st.integers(1, 6)),
    temperature=st.floats(0.05, 5.0),
    nearness=st.sampled_from([0.0, 3.0]),
    seed=st.integers(0, 99),
)
@example(height=9, width=10, reach=[1, 4, 4], top_k=None, temperature=1.18, nearness=3.0, seed=5)
def test_equals_a_loop_over_all_pairs(
    height: int,
    width: int,
    reach: list[int],
    top_k: int | None,
    temperature: float,
    nearness: float,
    seed: int,
) -> None:
    query = random_keys(3, height, width, seed=seed)
    memory = random_keys(len(reach), 3, height, width, seed=seed + 1)
    values = random_keys(len(reach), 2, height, width, seed=seed + 2)
    found = nearest(query, memory, reach, top_k=top_k, temperature=temperature, nearness=nearness)
    expected = by_hand(query, memory, values, reach, top_k, temperature, nearness)
    assert torch.allclose(found.read(values), expected, atol=1e-9)
    assert torch.allclose(found.weights.sum(dim=1), torch.ones(height * width).double())


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (0, -3), (-1, 2)])
def test_finds_where_everything_was(down: int, right: int) -> None:
    before = random_keys(16, 12, 14)
    after = before.roll((down, right), dims=(1, 2))
    found = nearest(after, before[None], [4], top_k=1, temperature=0.1)
    y, x = found.places()
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(14), indexing="ij")
    # What was rolled around the border is out of reach.
    inside = slice(3, 9), slice(3, 11)
    assert torch.equal(y[inside], (rows - down)[inside].double())
    assert torch.equal(x[inside], (columns - right)[inside].double())
    values = random_keys(1, 2, 12, 14, seed=5)
    moved = values[0].roll((down, right), dims=(1, 2))
    assert torch.equal(found.read(values)[:, 3:9, 3:11], moved[:, 3:9, 3:11])


def test_what_is_out_of_reach_does_not_count() -> None:
    query = torch.zeros(1, 1, 8)
    memory = torch.arange(8.0).view(1, 1, 1, 8)  # The nearest key of all is the leftmost.
    y, x = nearest(query, memory, [2], top_k=1, temperature=1.0).places()
    assert x.tolist() == [[0, 0, 0, 1, 2, 3, 4, 5]]
    assert not y.any()


def test_of_places_that_look_alike_the_nearest_counts() -> None:
    flat = torch.zeros(1, 6, 7)
    y, x = nearest(flat, flat[None], [9], top_k=9, temperature=0.1, nearness=1.0).places()
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(7), indexing="ij")
    inside = slice(1, 5), slice(1, 6)
    assert torch.allclose(y[inside], rows[inside].float())
    assert torch.allclose(x[inside], columns[inside].float())


@pytest.mark.parametrize("top_k", [None, 30, 3])
def test_gradients(top_k: int | None) -> None:
    query = random_keys(2, 5, 3).requires_grad_()
    memory = random_keys(2, 2, 5, 3, seed=1).requires_grad_()
    values = random_keys(2, 2, 5, 3, seed=2).requires_grad_()

    temperature = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def read(query: Tensor, memory: Tensor, values: Tensor, temperature: Tensor) -> Tensor:
        found = nearest(query, memory, [5, 1], top_k=top_k, temperature=temperature, nearness=1.0)
        return found.read(values)

    assert torch.autograd.gradcheck(read, (query, memory, values, temperature))
