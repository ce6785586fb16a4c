"""The guided filter against linear regression window by window, and what always holds."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.ops.guided_filter import guided_upsampling

SIZE = (9, 11)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_regression(maps: np.ndarray, guide: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Each window's ridge regression of the map on the colours; a pixel has the mean of those of
    the windows that it lies in."""
    height, width = maps.shape
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            rows = slice(max(y - radius, 0), y + radius + 1)
            columns = slice(max(x - radius, 0), x + radius + 1)
            colours = guide[:, rows, columns].reshape(3, -1).T
            values = maps[rows, columns].ravel()
            centred = colours - colours.mean(axis=0)
            gram = centred.T @ centred / len(values) + epsilon * np.eye(3)
            slope = np.linalg.solve(gram, centred.T @ (values - values.mean()) / len(values))
            at = guide[:, rows, columns].transpose(1, 2, 0) - colours.mean(axis=0)
            total[rows, columns] += at @ slope + values.mean()
            count[rows, columns] += 1
    return total / count


def test_is_the_mean_of_windowed_regressions() -> None:
    maps, guide = noise(0, 2, *SIZE), noise(1, 3, *SIZE)
    found = guided_upsampling(maps, guide, radius=2, size=SIZE, epsilon=1e-2)
    for one, given_map in zip(found, maps, strict=True):
        expected = by_regression(given_map.numpy(), guide.numpy(), 2, 1e-2)
        np.testing.assert_allclose(one.numpy(), expected, atol=1e-10)


@given(st.integers(0, 99), st.integers(1, 4), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_a_constant_stays_and_shares_sum_to_one(seed: int, radius: int, value: float) -> None:
    guide = noise(seed, 3, 20, 24)
    same = torch.full((1, 5, 6), value, dtype=torch.float64)
    options = {"radius": radius, "size": (10, 12)}
    found = guided_upsampling(same, guide, **options)  # type: ignore[arg-type]
    torch.testing.assert_close(found, torch.full((1, 20, 24), value, dtype=torch.float64))
    shares = noise(seed + 1, 3, 5, 6).softmax(dim=0)
    found = guided_upsampling(shares, guide, **options)  # type: ignore[arg-type]
    torch.testing.assert_close(found.sum(dim=0), torch.ones(20, 24, dtype=torch.float64))


@pytest.mark.parametrize("column", range(16, 25))
def test_an_edge_goes_where_the_picture_has_it(column: int) -> None:
    """A half plane on cells of 8 columns, which may begin within a cell."""
    truth = torch.zeros(1, 48, 48)
    truth[:, :, column:] = 1
    guide = 0.2 + 0.6 * truth.expand(3, -1, -1)
    coarse = F.interpolate(truth[None], (6, 6), mode="area")[0]
    found = guided_upsampling(coarse, guide, radius=6, size=(24, 24))
    assert ((found > 0.5) == (truth > 0.5)).all()
    plain = F.interpolate(coarse[None], (48, 48), mode="bilinear")[0]
    step, before = ((each[0, :, column] - each[0, :, column - 1]).min() for each in (found, plain))
    assert step > 0.4 > 3 * before
