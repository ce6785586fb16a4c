"""The forward-backward check, by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.teachers.flow.lookup import lookup


def constant(x: float, y: float, size: tuple[int, int] = (6, 9)) -> torch.Tensor:
    return torch.tensor([float(x), float(y)])[:, None, None].expand(2, *size)


@settings(max_examples=30, deadline=None)
@given(x=st.integers(-4, 4), y=st.integers(-3, 3))
def test_motion_by_whole_pixels(x: int, y: int) -> None:
    grid, valid = lookup(constant(x, y), constant(-x, -y), (6, 9), tolerance=0.5)
    ys, xs = torch.meshgrid(torch.arange(6), torch.arange(9), indexing="ij")
    inside = (xs + x >= 0) & (xs + x <= 8) & (ys + y >= 0) & (ys + y <= 5)
    assert torch.equal(valid, inside)
    torch.testing.assert_close(grid[..., 0], 2 * (xs + x) / 8 - 1)
    torch.testing.assert_close(grid[..., 1], 2 * (ys + y) / 5 - 1)


@pytest.mark.parametrize(("missed", "trusted"), [(0.5, True), (0.69, True), (0.71, False)])
def test_tolerance_grows_with_the_motion(missed: float, trusted: bool) -> None:
    """0.5 pixels and a tenth of two."""
    _, valid = lookup(constant(2, 0), constant(-2 + missed, 0), (6, 9), tolerance=0.5)
    assert bool(valid[:, :6].all()) == trusted
    assert bool(valid[:, :6].any()) == trusted


def test_another_grid_is_looked_up_by_the_same_share_of_the_frame() -> None:
    grid, valid = lookup(constant(0, 0), constant(0, 0), (12, 5), tolerance=1.0)
    assert valid.all()
    torch.testing.assert_close(grid[0, :, 0], torch.linspace(-1, 1, 5))
    torch.testing.assert_close(grid[:, 0, 1], torch.linspace(-1, 1, 12))
