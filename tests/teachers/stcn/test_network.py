"""Reading a memory by hand, and what the parts of the network see."""

import math
from itertools import product

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.teachers.stcn.blocks import Attention
from ditta_adapt.teachers.stcn.network import others_of, read
from tests.teachers.stcn.networks import tiny


def test_reading_by_hand() -> None:
    # One cell asks; two remembered ones are at squared distances 0 and 4, of four channels.
    query = torch.zeros(1, 4, 1, 1)
    keys = torch.zeros(1, 4, 2, 1, 1)
    keys[0, 0, 1] = 2
    values = torch.tensor([10.0, 20.0]).view(1, 1, 2, 1, 1)
    second = math.exp(-4 / 2) / (1 + math.exp(-4 / 2))
    found = read(query, keys, values)
    torch.testing.assert_close(found, torch.full((1, 1, 1, 1), 10 + 10 * second))
    assert float(read(query, keys, values, top_k=1)) == 10


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 20),
    st.sampled_from([None, 0.0, 1.2, 2.5]),
    st.integers(0, 9),
)
def test_reading_as_the_formula_has_it(
    frames: int, height: int, width: int, top_k: int, reach: float | None, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    query = torch.randn(1, 3, height, width, generator=random, dtype=torch.float64)
    keys = torch.randn(1, 3, frames, height, width, generator=random, dtype=torch.float64)
    values = torch.randn(1, 2, frames, height, width, generator=random, dtype=torch.float64)
    # Each frame has a reach of its own.
    radii = None if reach is None else [reach + t for t in range(frames)]
    found = read(query, keys, values, top_k=top_k, reach=radii)
    cells = list(product(range(frames), range(height), range(width)))
    for y in range(height):
        for x in range(width):
            far = (keys[0] - query[0, :, None, y, x, None, None].unsqueeze(1)[:, 0]).square()
            scores = (-far.sum(dim=0) / math.sqrt(3)).flatten()
            near = [
                i
                for i, (t, row, column) in enumerate(cells)
                if radii is None or math.hypot(row - y, column - x) <= radii[t]
            ]
            order = sorted(near, key=lambda i: -float(scores[i]))[:top_k]
            shares = [math.exp(float(scores[i])) for i in order]
            known = values[0].flatten(1)
            expected = sum(
                share * known[:, i] for share, i in zip(shares, order, strict=True)
            ) / sum(shares)
            torch.testing.assert_close(found[0, :, y, x], expected)


def test_others_by_hand() -> None:
    masks = torch.tensor([0.2, 0.5, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(others_of(masks).flatten(), torch.tensor([0.8, 0.5, 0.7]))
    assert not others_of(masks[:1]).any()


def test_values_know_their_mask_and_the_others() -> None:
    network, images = tiny(), torch.randn(2, 3, 32, 48)
    deep = network.encode(images).deep
    nothing, all_of_it = torch.zeros(2, 32, 48), torch.ones(2, 32, 48)
    without = network.remember(images, deep, nothing, nothing)
    assert without.shape == (2, 8, 2, 3)
    assert not torch.allclose(without, network.remember(images, deep, all_of_it, nothing))
    assert not torch.allclose(without, network.remember(images, deep, nothing, all_of_it))


def test_every_part_is_asked() -> None:
    network, images = tiny(), torch.randn(1, 3, 32, 32)
    features = network.encode(images)
    value = network.remember(images, features.deep, torch.rand(1, 32, 32), torch.rand(1, 32, 32))
    found = read(features.key, features.key[:, :, None], value[:, :, None])
    network.decode(found, features).square().sum().backward()
    silent = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    # With four cells to look at, each of which is the nearest to itself, keys hardly matter, but
    # they do.
    assert not silent


def test_attention_by_hand() -> None:
    attention = Attention(2)
    for parameter in attention.parameters():
        parameter.data.zero_()
    x = torch.randn(1, 2, 3, 3)
    # Undecided twice: a half of a half.
    torch.testing.assert_close(attention(x), x / 4)
    attention.channels[2].bias.data.copy_(torch.tensor([50.0, -50.0]))  # type: ignore[union-attr]
    found = attention(x)
    torch.testing.assert_close(found[:, 0], x[:, 0] / 2)
    assert not found[:, 1].abs().max() > 1e-6
