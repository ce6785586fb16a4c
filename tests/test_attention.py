import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import attention
from ditta_adapt.attention import local_window_attention
from ditta_adapt.errors import InputError, ShapeError

Maps = tuple[Tensor, Tensor, Tensor]
# Double precision: sums of at most 300 products of order 1.
EXACT = {"rtol": 0.0, "atol": 1e-10}
GRIDS = [
    (1, 1),
    (1, 37),
    (20, 1),
    (3, 4),
    (7, 7),
    (8, 8),  # exactly one tile
    (9, 17),
    (16, 24),  # exactly six tiles
    (13, 21),
]


def maps(seed: int, batch: int, dim: int, values: int, h: int, w: int) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((batch, dim, h, w), (batch, dim, h, w), (batch, values, h, w))
    query, key, value = (
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes
    )
    return query, key, value


def dense(query: Tensor, key: Tensor, value: Tensor, radius: int, scale: float = 1.0) -> Tensor:
    """All pairs of positions, those outside the window masked out."""
    h, w = query.shape[2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    y, x = y.flatten(), x.flatten()
    far = ((y[:, None] - y).abs() > radius) | ((x[:, None] - x).abs() > radius)
    scores = scale * torch.einsum("bdp,bdq->bpq", query.flatten(2), key.flatten(2))
    weights = scores.masked_fill(far, -math.inf).softmax(dim=2)
    return torch.einsum("bpq,bvq->bvp", weights, value.flatten(2)).unflatten(2, (h, w))


def by_shifts(query: Tensor, key: Tensor, value: Tensor, radius: int) -> Tensor:
    """Numerator and denominator summed position by position, no softmax and no mask."""
    result = torch.empty_like(value)
    h, w = query.shape[2:]
    for y in range(h):
        for x in range(w):
            rows = slice(max(y - radius, 0), min(y + radius, h - 1) + 1)
            columns = slice(max(x - radius, 0), min(x + radius, w - 1) + 1)
            near = key[:, :, rows, columns].flatten(2)
            weights = (query[:, :, y, x, None] * near).sum(dim=1, keepdim=True).exp()
            seen = value[:, :, rows, columns].flatten(2)
            result[:, :, y, x] = (weights * seen).sum(dim=2) / weights.sum(dim=2)
    return result


@pytest.mark.parametrize("radius", [0, 1, 2, 5, None])
@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_it_equals_dense_masked_attention_with_its_gradients(
    h: int, w: int, radius: int | None
) -> None:
    inputs = maps(radius or 0, batch=2, dim=3, values=5, h=h, w=w)
    result = local_window_attention(*inputs, radius=radius)
    expected = dense(*inputs, max(h, w) if radius is None else radius)
    torch.testing.assert_close(result, expected, **EXACT)
    upstream = torch.randn_like(expected)
    gradients = torch.autograd.grad(result, inputs, upstream)
    for name, gradient, reference in zip(
        ("query", "key", "value"),
        gradients,
        torch.autograd.grad(expected, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(gradient, reference, **EXACT, msg=lambda m, n=name: f"{n}: {m}")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 3),
    dim=st.integers(1, 4),
    values=st.integers(1, 4),
    h=st.integers(1, 18),
    w=st.integers(1, 18),
    radius=st.integers(0, 20),
    scale=st.sampled_from([1.0, 0.5, -2.0, 0.0]),
)
def test_it_equals_dense_masked_attention(
    seed: int, batch: int, dim: int, values: int, h: int, w: int, radius: int, scale: float
) -> None:
    inputs = maps(seed, batch, dim, values, h, w)
    result = local_window_attention(*inputs, radius=radius, scale=scale)
    torch.testing.assert_close(result, dense(*inputs, radius, scale), **EXACT)


@pytest.mark.parametrize(("h", "w", "radius"), [(9, 18, 1), (4, 20, 2), (1, 5, 3)])
def test_it_equals_a_loop_over_positions(h: int, w: int, radius: int) -> None:
    with torch.no_grad():
        inputs = maps(3, batch=2, dim=2, values=3, h=h, w=w)
        result = local_window_attention(*inputs, radius=radius)
        torch.testing.assert_close(result, by_shifts(*inputs, radius), **EXACT)


def test_the_defaults_are_radius_5_and_no_scale() -> None:
    inputs = maps(0, batch=1, dim=4, values=2, h=14, w=15)
    torch.testing.assert_close(local_window_attention(*inputs), dense(*inputs, 5), **EXACT)


@pytest.mark.parametrize(("h", "w", "radius"), [(2, 3, 1), (3, 2, 5), (9, 1, 2)])
def test_gradcheck(h: int, w: int, radius: int) -> None:
    inputs = maps(5, batch=1, dim=2, values=2, h=h, w=w)
    assert torch.autograd.gradcheck(lambda *m: local_window_attention(*m, radius=radius), inputs)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10**6), radius=st.integers(0, 3))
def test_channels_may_be_permuted(data: st.DataObject, seed: int, radius: int) -> None:
    query, key, value = maps(seed, batch=2, dim=4, values=5, h=9, w=6)
    plain = local_window_attention(query, key, value, radius=radius)
    classes = data.draw(st.permutations(range(5)))
    permuted = local_window_attention(query, key, value[:, classes], radius=radius)
    torch.testing.assert_close(permuted, plain[:, classes], **EXACT)
    channels = data.draw(st.permutations(range(4)))
    permuted = local_window_attention(query[:, channels], key[:, channels], value, radius=radius)
    torch.testing.assert_close(permuted, plain, **EXACT)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), h=st.integers(1, 12), w=st.integers(1, 20))
def test_every_entry_is_a_convex_combination_of_its_window(seed: int, h: int, w: int) -> None:
    query, key, value = maps(seed, batch=1, dim=2, values=3, h=h, w=w)
    result = local_window_attention(query, key, value, radius=2)
    high = torch.nn.functional.max_pool2d(value, 5, stride=1, padding=2)  # pads with -infinity
    low = -torch.nn.functional.max_pool2d(-value, 5, stride=1, padding=2)
    assert ((result >= low - 1e-12) & (result <= high + 1e-12)).all()
    ones = local_window_attention(query, key, torch.ones_like(value), radius=2)
    torch.testing.assert_close(ones, torch.ones_like(value), **EXACT)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), h=st.integers(1, 12), w=st.integers(1, 20))
def test_radius_zero_gives_the_value_itself(seed: int, h: int, w: int) -> None:
    query, key, value = maps(seed, batch=2, dim=3, values=2, h=h, w=w)
    assert torch.equal(local_window_attention(query, key, value, radius=0), value)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), flip=st.sampled_from([(2,), (3,), (2, 3)]))
def test_mirrored_maps_give_the_mirrored_result(seed: int, flip: tuple[int, ...]) -> None:
    """Tiles start at the top left; where they lie must not show."""
    inputs = maps(seed, batch=1, dim=2, values=2, h=11, w=19)
    mirrored = local_window_attention(*(m.flip(flip) for m in inputs), radius=3)
    expected = local_window_attention(*inputs, radius=3).flip(flip)
    torch.testing.assert_close(mirrored, expected, **EXACT)


@pytest.mark.parametrize("limit", [1, 40_000, 10**6])
def test_chunking_does_not_matter(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    inputs = maps(1, batch=2, dim=3, values=4, h=43, w=18)
    whole = local_window_attention(*inputs, radius=2)
    expected = torch.autograd.grad(whole.square().sum(), inputs)
    monkeypatch.setattr(attention, "_MAX_SCORES", limit)
    monkeypatch.setattr(attention, "_MAX_SCORES_WITH_GRADIENT", limit)
    with torch.no_grad():
        torch.testing.assert_close(local_window_attention(*inputs, radius=2), whole, **EXACT)
    parts = local_window_attention(*inputs, radius=2)
    torch.testing.assert_close(parts, whole, **EXACT)
    result = torch.autograd.grad(parts.square().sum(), inputs)
    torch.testing.assert_close(result, expected, **EXACT)


@pytest.mark.parametrize("learning", [False, True])
def test_the_limit_on_scores_is_kept(monkeypatch: pytest.MonkeyPatch, learning: bool) -> None:
    """With room for two rows of tiles, six rows take three calls."""
    rows: list[int] = []
    attend = attention._attend

    def spy(query: Tensor, *rest: Tensor | float) -> Tensor:
        rows.append(query.shape[2])
        return attend(query, *rest)

    monkeypatch.setattr(attention, "_attend", spy)
    # Two tiles of 8 x 8 queries a row, 10 x 10 keys a tile, two frames; the other limit is wide.
    limit = 2 * (2 * (8 * 8) * (10 * 10) * 2) + 1
    monkeypatch.setattr(attention, "_MAX_SCORES", 10**9 if learning else limit)
    monkeypatch.setattr(attention, "_MAX_SCORES_WITH_GRADIENT", limit if learning else 10**9)
    with torch.set_grad_enabled(learning):
        local_window_attention(*maps(1, batch=2, dim=2, values=2, h=44, w=16), radius=1)
    assert rows == [2, 2, 2]
    rows.clear()
    local_window_attention(
        *(m.detach() for m in maps(1, batch=2, dim=2, values=2, h=44, w=16)), radius=1
    )
    assert rows == ([6] if learning else [2, 2, 2])


def test_large_scores_stay_finite() -> None:
    """Unscaled dot products of a few hundred must not overflow, in single precision either."""
    query, key, value = (m.detach().float() for m in maps(2, 1, 4, 3, 10, 20))
    result = local_window_attention(300 * query, key, value, radius=1)
    assert result.isfinite().all()
    expected = dense(300 * query.double(), key.double(), value.double(), 1)
    # Scores of up to 3000 have a spacing of 2e-4 in single precision.
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=5e-3)


def test_inputs_that_are_not_contiguous() -> None:
    inputs = tuple(m.detach().to(memory_format=torch.channels_last) for m in maps(4, 2, 3, 3, 9, 8))
    torch.testing.assert_close(local_window_attention(*inputs), dense(*inputs, 5), **EXACT)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("query", "key", "value", "message"),
    [
        ((3, 4, 4), (3, 4, 4), (1, 2, 4, 4), "query has shape"),
        ((1, 3, 4, 4), (1, 2, 4, 4), (1, 2, 4, 4), "query has shape"),
        ((1, 3, 4, 4), (1, 3, 4, 5), (1, 2, 4, 5), "query has shape"),
        ((1, 3, 4, 4), (1, 3, 4, 4), (1, 2, 4, 5), "value has shape"),
        ((1, 3, 4, 4), (1, 3, 4, 4), (2, 2, 4, 4), "value has shape"),
        ((1, 3, 4, 4), (1, 3, 4, 4), (2, 4, 4), "value has shape"),
    ],
)
def test_shapes_that_do_not_belong_together(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        local_window_attention(torch.zeros(query), torch.zeros(key), torch.zeros(value))


def test_negative_radius() -> None:
    with pytest.raises(InputError, match="radius is -1"):
        local_window_attention(*maps(0, 1, 1, 1, 2, 2), radius=-1)
