"""Warping: cases by hand, its laws, and scipy's interpolation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import Tensor

from ditta_adapt import InputError, ShapeError
from ditta_adapt.baselines.refinement.warp import round_trip_valid, unshared_valid, warp

sizes = st.tuples(st.integers(1, 6), st.integers(1, 7))
seeds = st.integers(0, 2**32)
few = settings(max_examples=40)


def random_flow(size: tuple[int, int], seed: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(2, *size, generator=torch.Generator().manual_seed(seed))


def random_maps(size: tuple[int, int], seed: int, channels: int = 3) -> Tensor:
    return torch.randn(channels, *size, generator=torch.Generator().manual_seed(seed))


def constant_flow(columns: float, rows: float, size: tuple[int, int]) -> Tensor:
    return torch.tensor([float(columns), float(rows)]).view(2, 1, 1).expand(2, *size).clone()


class TestByHand:
    def test_a_row_moved_by_one(self) -> None:
        maps = torch.tensor([[[0, 1, 2, 3]]])
        warped, valid = warp(maps, constant_flow(1, 0, (1, 4)), interpolation="nearest")
        assert warped.tolist() == [[[1, 2, 3, 0]]]
        assert warped.dtype == torch.int64
        assert valid.tolist() == [[True, True, True, False]]

    def test_channel_1_of_the_flow_is_rows(self) -> None:
        maps = torch.tensor([[[0.0], [1.0], [2.0]]])
        warped, valid = warp(maps, constant_flow(0, -1, (3, 1)))
        assert warped.tolist() == [[[0.0], [0.0], [1.0]]]
        assert valid.tolist() == [[False], [True], [True]]

    def test_between_four_pixels(self) -> None:
        maps = torch.tensor([[[0.0, 10.0], [100.0, 1000.0]]])
        flow = constant_flow(0.25, 0.5, (2, 2))
        warped, valid = warp(maps, flow)
        # (0.75 * 0 + 0.25 * 10) / 2 + (0.75 * 100 + 0.25 * 1000) / 2
        assert warped[0, 0, 0] == 163.75
        assert valid.tolist() == [[True, False], [False, False]]

    def test_nearest_takes_the_closer_pixel_and_halves_go_up(self) -> None:
        maps = torch.tensor([[[0, 1, 2, 3]]])
        flow = torch.zeros(2, 1, 4)
        flow[0, 0] = torch.tensor([0.4, 0.5, 0.6, -0.6])
        warped, _ = warp(maps, flow, interpolation="nearest")
        assert warped.tolist() == [[[0, 2, 3, 2]]]

    def test_no_number_is_no_source(self) -> None:
        flow = torch.zeros(2, 1, 3)
        flow[0, 0, 0], flow[1, 0, 1] = float("nan"), float("inf")
        warped, valid = warp(torch.ones(1, 1, 3), flow)
        assert valid.tolist() == [[False, False, True]]
        assert warped.tolist() == [[[0.0, 0.0, 1.0]]]


@few
@given(sizes, seeds)
def test_zero_flow_is_the_identity(size: tuple[int, int], seed: int) -> None:
    maps = random_maps(size, seed)
    for interpolation in ("bilinear", "nearest"):
        warped, valid = warp(maps, torch.zeros(2, *size), interpolation=interpolation)
        assert torch.equal(warped, maps)
        assert valid.all()


@few
@given(sizes, seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_linear_in_the_maps(size: tuple[int, int], seed: int, a: float, b: float) -> None:
    flow = random_flow(size, seed)
    x, y = random_maps(size, seed + 1), random_maps(size, seed + 2)
    together, _ = warp(a * x + b * y, flow)
    apart = a * warp(x, flow)[0] + b * warp(y, flow)[0]
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


@few
@given(sizes, seeds)
def test_equals_scipy(size: tuple[int, int], seed: int) -> None:
    maps, flow = random_maps(size, seed).double(), random_flow(size, seed + 1).double()
    warped, valid = warp(maps, flow)
    rows, columns = np.mgrid[: size[0], : size[1]]
    places = np.stack([rows + flow[1].numpy(), columns + flow[0].numpy()])
    inside = (places >= 0).all(0) & (places[0] <= size[0] - 1) & (places[1] <= size[1] - 1)
    assert (valid.numpy() == inside).all()
    for own, image in zip(warped.numpy(), maps.numpy(), strict=True):
        expected = map_coordinates(image, places, order=1, mode="nearest") * inside
        np.testing.assert_allclose(own, expected, atol=1e-12)


@few
@given(sizes, seeds)
def test_nearest_makes_no_new_values(size: tuple[int, int], seed: int) -> None:
    labels = torch.randint(1, 9, (1, *size), generator=torch.Generator().manual_seed(seed))
    warped, valid = warp(labels, random_flow(size, seed), interpolation="nearest")
    assert torch.isin(warped[0][valid], labels).all()
    assert (warped[0][~valid] == 0).all()


class TestWhatToTrust:
    def test_there_and_back(self) -> None:
        flow, back = constant_flow(1, 0, (2, 4)), constant_flow(-1, 0, (2, 4))
        assert round_trip_valid(flow, back).tolist() == [[True, True, True, False]] * 2
        back[0, 0, 1] = 0.5  # Ends 1.5 pixels off, for the pixel that lands there.
        expected = [[False, True, True, False], [True, True, True, False]]
        assert round_trip_valid(flow, back).tolist() == expected
        assert round_trip_valid(flow, back, tolerance=1.5)[0, 0]

    def test_shared_sources(self) -> None:
        flow = torch.zeros(2, 1, 4)
        flow[0, 0] = torch.tensor([1.0, 0.0, 1.0, 9.0])
        # Pixels 0 and 1 both read column 1, pixel 2 alone reads 3, pixel 3 leaves the image.
        assert unshared_valid(flow).tolist() == [[False, False, True, False]]

    @few
    @given(sizes, seeds)
    def test_as_many_readers_as_a_count_says(self, size: tuple[int, int], seed: int) -> None:
        flow = random_flow(size, seed)
        places: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for i in range(size[0]):
            for j in range(size[1]):
                y, x = i + float(flow[1, i, j]), j + float(flow[0, i, j])
                if 0 <= y <= size[0] - 1 and 0 <= x <= size[1] - 1:
                    places.setdefault((int(y + 0.5), int(x + 0.5)), []).append((i, j))
        alone = [readers[0] for readers in places.values() if len(readers) == 1]
        assert sorted(map(tuple, unshared_valid(flow).nonzero().tolist())) == sorted(alone)


@pytest.mark.usefixtures("unchecked")
class TestErrors:
    def test_shapes(self) -> None:
        with pytest.raises(ShapeError, match=r"flow has shape \(2, 3, 3\) and maps \(1, 3, 4\)"):
            warp(torch.zeros(1, 3, 4), torch.zeros(2, 3, 3))
        with pytest.raises(ShapeError, match=r"expected \(2, H, W\) and \(K, H, W\)"):
            warp(torch.zeros(3, 4), torch.zeros(2, 3, 4))

    def test_bilinear_labels(self) -> None:
        with pytest.raises(InputError, match=r"int64.*nearest"):
            warp(torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros(2, 2, 2))

    def test_unknown_words(self) -> None:
        with pytest.raises(InputError, match="interpolation is 'cubic'"):
            warp(torch.zeros(1, 2, 2), torch.zeros(2, 2, 2), interpolation="cubic")
        with pytest.raises(InputError, match="tolerance is -1"):
            round_trip_valid(torch.zeros(2, 2, 2), torch.zeros(2, 2, 2), tolerance=-1)
