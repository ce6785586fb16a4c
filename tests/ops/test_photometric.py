"""Photometric trust against its formula, cell by cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.ops.photometric import (
    colours_on_grid,
    photometric_consistency,
)
from ditta_adapt.ops.photometric import (
    photometric_consistency_at_rest as at_rest,
)

quick = settings(max_examples=40, deadline=None)
Pair = tuple[Tensor, Tensor, Tensor]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """What was carried and what is seen, from nearly equal to unrelated, and a mask of sources."""
    h, w = (draw(st.integers(1, n)) for n in (5, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    seen, other = torch.rand(2, 3, h, w, generator=generator, dtype=torch.float64)
    carried = torch.lerp(seen, other, draw(st.sampled_from([0.05, 0.3, 1.0])))
    valid = torch.rand(h, w, generator=generator) < draw(st.sampled_from([0.0, 0.7, 1.0]))
    return carried, seen, valid


def trust_by_hand(
    carried: np.ndarray, seen: np.ndarray, valid: np.ndarray, tolerance: float
) -> np.ndarray:
    """Only cells with a source count, and none outside of the grid."""
    height, width = valid.shape
    result = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        around = [
            (j, i)
            for j in range(max(y - 1, 0), min(y + 2, height))
            for i in range(max(x - 1, 0), min(x + 2, width))
            if valid[j, i]
        ]
        sums = [sum(carried[k, j, i] - seen[k, j, i] for j, i in around) for k in range(3)]
        if valid[y, x]:
            error = sum(map(abs, sums)) / len(around) / 3
            result[y, x] = math.exp(-((error / tolerance) ** 2))
    return result


@quick
@given(pair=pairs(), tolerance=st.floats(0.02, 2))
def test_it_equals_the_formula_cell_by_cell(pair: Pair, tolerance: float) -> None:
    expected = trust_by_hand(*(x.numpy() for x in pair), tolerance)
    result = photometric_consistency(*pair, tolerance=tolerance)
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=1e-12)


@quick
@given(pair=pairs(), tolerance=st.floats(0.02, 2))
def test_in_the_unit_interval_and_0_without_a_source(pair: Pair, tolerance: float) -> None:
    result = photometric_consistency(*pair, tolerance=tolerance)
    assert result.shape == pair[2].shape
    assert ((result >= 0) & (result <= 1)).all()
    assert (result[~pair[2]] == 0).all()


@quick
@given(pair=pairs())
def test_equal_colours_are_trusted_fully(pair: Pair) -> None:
    _, seen, valid = pair
    assert torch.equal(
        photometric_consistency(seen.clone(), seen, valid, tolerance=0.1), valid.double()
    )


@quick
@given(pair=pairs(), factor=st.floats(0, 1))
def test_less_error_is_not_trusted_less(pair: Pair, factor: float) -> None:
    carried, seen, valid = pair
    nearer = photometric_consistency(torch.lerp(seen, carried, factor), seen, valid, tolerance=0.1)
    assert (nearer >= photometric_consistency(carried, seen, valid, tolerance=0.1) - 1e-12).all()


@quick
@given(pair=pairs(), factor=st.floats(1, 10))
def test_more_tolerance_is_not_less_trust(pair: Pair, factor: float) -> None:
    more = photometric_consistency(*pair, tolerance=0.1 * factor)
    assert (more >= photometric_consistency(*pair, tolerance=0.1) - 1e-12).all()


def test_by_hand() -> None:
    """Error 0.36 in one corner of a 3 x 3 grid; 4 cells lie around a corner, 6 around an edge."""
    seen = torch.zeros(3, 3, 3, dtype=torch.float64)
    carried = seen.clone()
    carried[:, 0, 0] = torch.tensor([0.9, 0.18, 0.0])  # their mean is 0.36
    result = photometric_consistency(carried, seen, torch.ones(3, 3).bool(), tolerance=0.06)
    corner, edge, middle = (math.exp(-((0.36 / n / 0.06) ** 2)) for n in (4, 6, 9))
    expected = [[corner, edge, 1.0], [edge, middle, 1.0], [1.0, 1.0, 1.0]]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64))


def test_noise_cancels_out_and_channels_do_not() -> None:
    """Too bright and too dark by turns: 9 cells with one more of a sign than of the other."""
    sign = torch.tensor([[1.0, -1, 1], [-1, 1, -1], [1, -1, 1]], dtype=torch.float64)
    seen, valid = torch.full((3, 3, 3), 0.5, dtype=torch.float64), torch.ones(3, 3).bool()
    noisy = photometric_consistency(seen + 0.18 * sign, seen, valid, tolerance=0.1)
    assert float(noisy[1, 1]) == pytest.approx(math.exp(-(0.2**2)))
    assert float(noisy[0, 0]) == pytest.approx(1.0)
    # More red and less green is another colour, not noise.
    tint = 0.15 * torch.tensor([1.0, -1, 0], dtype=torch.float64)[:, None, None]
    tinted = photometric_consistency(seen + tint, seen, valid, tolerance=0.1)
    torch.testing.assert_close(tinted, torch.full_like(tinted, 1 / math.e))


def test_trust_falls_to_1_over_e_at_the_tolerance() -> None:
    seen = torch.full((3, 4, 5), 0.5, dtype=torch.float64)
    valid = torch.ones(4, 5).bool()
    for tolerance in (0.03, 0.2):
        result = photometric_consistency(seen + tolerance, seen, valid, tolerance=tolerance)
        torch.testing.assert_close(result, torch.full_like(result, 1 / math.e))


def test_colours_on_a_grid_are_means() -> None:
    frame = torch.randint(0, 256, (3, 6, 8), generator=torch.Generator().manual_seed(0))
    colours = colours_on_grid(frame.byte(), (2, 4))
    assert colours.dtype == torch.float32
    for k, y, x in np.ndindex(3, 2, 4):
        cell = frame[k, 3 * y : 3 * y + 3, 2 * x : 2 * x + 2]
        assert float(colours[k, y, x]) == pytest.approx(sum(cell.flatten().tolist()) / 6 / 255)


@quick
@given(
    sides=st.tuples(*[st.integers(1, 9)] * 2),
    grid=st.tuples(*[st.integers(1, 9)] * 2),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_a_plain_frame_keeps_its_colour_on_any_grid(
    sides: tuple[int, int], grid: tuple[int, int], colour: tuple[int, ...]
) -> None:
    frame = torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, *sides)
    expected = torch.tensor(colour)[:, None, None].expand(3, *grid) / 255
    torch.testing.assert_close(colours_on_grid(frame, grid), expected)


def test_at_frame_size_colours_are_the_pixels() -> None:
    frame = torch.randint(0, 256, (3, 5, 7), generator=torch.Generator().manual_seed(1)).byte()
    torch.testing.assert_close(colours_on_grid(frame, (5, 7)), frame.float() / 255)


def test_trust_between_two_stills() -> None:
    """Plain frames that differ by 0.1 in every colour; and on how fine a grid they are compared."""
    grey, lighter = (torch.full((3, 90, 30), value, dtype=torch.uint8) for value in (51, 102))
    assert at_rest(grey, grey, tolerance=0.1) == 1.0
    assert at_rest(grey, lighter, tolerance=0.2) == pytest.approx(1 / math.e)
    assert at_rest(lighter, grey, tolerance=0.1) == pytest.approx(math.exp(-4))
    # A row in each colour: means over more than a row are all the same grey.
    stripes = torch.zeros(3, 128, 30, dtype=torch.uint8)
    stripes[:, ::2] = 255
    assert at_rest(stripes, 255 - stripes, tolerance=0.1) == pytest.approx(1.0)
    # In the left half other colours, in the right half the same ones.
    half = grey.clone()
    half[..., :15] = 255
    assert at_rest(grey, half, tolerance=0.1) == pytest.approx(0.5, abs=0.05)


@quick
@given(seed=st.integers(0, 10**6))
def test_trust_between_two_stills_is_mutual(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randint(0, 256, (2, 3, 7, 9), generator=generator).byte()
    assert 0 <= at_rest(one, other, tolerance=0.1) <= 1
    assert at_rest(one, other, tolerance=0.1) == pytest.approx(at_rest(other, one, tolerance=0.1))
