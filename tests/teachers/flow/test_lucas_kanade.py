"""Flow in plain torch on motion whose truth is known."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.teachers.flow.lucas_kanade import LucasKanade, lucas_kanade
from ditta_adapt.teachers.flow.pyramid import (
    Sampler,
    Symmetric,
    derivatives,
    neighbours,
    pyramid,
    window_means,
)
from ditta_adapt.teachers.flow.spread import spread

quick = settings(max_examples=15, deadline=None)


def texture(size: tuple[int, int], seed: int = 0) -> Tensor:
    """Grey levels in [0, 255], smooth over some four pixels."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, size[0] // 4, size[1] // 4, generator=generator)
    return 255 * F.interpolate(noise, size, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("motion", [(0, 0), (1, 0), (0, -2), (4, 3), (-12, 5), (20, 0)])
def test_translations(motion: tuple[int, int]) -> None:
    """A window that moves over a larger picture, so that what comes into view is real."""
    dx, dy = motion
    world, height, width = texture((160, 240)), 96, 128
    first = world[..., 32 : 32 + height, 48 : 48 + width]
    second = world[..., 32 - dy : 32 - dy + height, 48 - dx : 48 - dx + width]
    flow = lucas_kanade(first, second)[0]
    inner = flow[:, 24:-24, 24:-24]
    truth = torch.tensor([dx, dy], dtype=torch.float32)[:, None, None]
    error = (inner - truth).norm(dim=0)
    assert error.median() < 0.1
    assert error.mean() < 0.3


def test_two_things_that_move_apart() -> None:
    """The edge is found to a few pixels: each side has its own motion there."""
    back, front = texture((96, 128), 1), texture((96, 128), 2)
    inside = torch.zeros(96, 128, dtype=torch.bool)
    inside[30:70, 40:80] = True
    first = torch.where(inside, front, back)
    second = torch.where(inside.roll(4, 1), front.roll(4, 3), back)
    flow = lucas_kanade(first, second)[0]
    well_inside = torch.zeros_like(inside)
    well_inside[34:66, 44:76] = True
    moved = flow[0] > 2
    assert moved[well_inside].float().mean() > 0.95
    far = F.max_pool2d(inside[None].float(), 17, 1, 8)[0] == 0
    assert moved[far].float().mean() < 0.02


@quick
@given(seed=st.integers(0, 10**6), height=st.integers(8, 40), width=st.integers(8, 40))
def test_any_frames_give_finite_flow_and_a_batch_is_its_parts(
    seed: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pair = 255 * torch.rand(2, 1, height, width, generator=generator)
    there, back = lucas_kanade(pair[:1], pair[1:]), lucas_kanade(pair[1:], pair[:1])
    both = lucas_kanade(pair, pair.flip(0))
    assert both.shape == (2, 2, height, width)
    assert both.isfinite().all()
    # Iterations grow rounding where noise has no flow at all; most of it is the same.
    parts = torch.cat([there, back])
    assert ((both - parts).abs() < 1e-2).float().mean() > 0.9


@pytest.mark.parametrize("level", [0.0, 128.0, 255.0])
def test_nothing_to_see_does_not_move(level: float) -> None:
    flat = torch.full((1, 1, 48, 64), level)
    assert torch.equal(lucas_kanade(flat, flat), torch.zeros(1, 2, 48, 64))


def test_a_still_frame_does_not_move() -> None:
    frame = texture((48, 64))
    assert lucas_kanade(frame, frame).abs().max() < 1e-3


def test_estimator_takes_frames_both_ways() -> None:
    world = texture((200, 300)).byte().expand(1, 3, -1, -1)[0]
    first, second = world[:, 20:148, 20:212], world[:, 20:148, 14:206]
    estimator = LucasKanade()
    flow = estimator.flow(*(estimator.prepare(frame, (128, 192)) for frame in (first, second)))
    # On half of the size, so half of six pixels.
    assert flow.shape == (2, 2, 64, 96)
    inner = flow[..., 16:-16, 16:-16]
    assert abs(float(inner[0, 0].median()) - 3) < 0.1
    assert abs(float(inner[1, 0].median()) + 3) < 0.1
    assert inner[:, 1].abs().median() < 0.1


def test_grey_by_hand() -> None:
    frame = torch.zeros(3, 16, 16, dtype=torch.uint8)
    frame[0], frame[1], frame[2] = 100, 50, 200
    grey = LucasKanade().prepare(frame, (16, 16))
    torch.testing.assert_close(grey, torch.full((1, 1, 8, 8), 29.9 + 29.35 + 22.8))


class TestParts:
    """The pieces against plain formulas."""

    def test_looking_up_whole_pixels_is_a_shift(self) -> None:
        image = torch.rand(1, 2, 7, 9)
        flow = torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, 7, 9)
        (shifted,) = neighbours(image, ((2, -1),))
        torch.testing.assert_close(Sampler.of(image)(image, flow), shifted, atol=1e-5, rtol=1e-5)

    def test_neighbours_by_hand(self) -> None:
        row = torch.tensor([[[[1.0, 2, 3]]]])
        right, left = neighbours(row, ((1, 0), (-2, 0)))
        assert right.flatten().tolist() == [2, 3, 3]
        assert left.flatten().tolist() == [1, 1, 1]

    def test_derivatives_of_a_plane(self) -> None:
        y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
        dx, dy = derivatives((3 * x - 2 * y)[None, None])[0]
        assert torch.equal(dx[:, 1:-1], torch.full((5, 4), 3.0))
        assert torch.equal(dy[1:-1], torch.full((3, 6), -2.0))

    def test_matrices_against_numpy(self) -> None:
        diagonal, other = 1 + torch.rand(1, 2, 3, 4).double(), torch.rand(1, 1, 3, 4).double()
        vectors = torch.rand(1, 2, 3, 4).double()
        matrix = Symmetric(diagonal, other)
        for y, x in np.ndindex(3, 4):
            (a, c), (b,), v = (t[0, :, y, x].numpy() for t in (diagonal, other, vectors))
            dense = np.array([[a, b], [b, c]])
            np.testing.assert_allclose((matrix @ vectors)[0, :, y, x], dense @ v)
            np.testing.assert_allclose(
                (matrix.inverse() @ vectors)[0, :, y, x], np.linalg.solve(dense, v), rtol=1e-9
            )

    @quick
    @given(side=st.sampled_from([1, 3, 5]), seed=st.integers(0, 1000))
    def test_window_means(self, side: int, seed: int) -> None:
        image = np.random.default_rng(seed).random((6, 7))
        means = window_means(torch.from_numpy(image)[None, None], side)[0, 0].numpy()
        reach = side // 2
        for y, x in np.ndindex(6, 7):
            near = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            # Rows first, then columns: the same as the mean over the window inside the image.
            assert means[y, x] == pytest.approx(near.mean(), abs=1e-12)

    def test_pyramid_halves_and_stops(self) -> None:
        sizes = [tuple(x.shape[2:]) for x in pyramid(torch.rand(1, 1, 33, 50), 6, 4)]
        assert sizes == [(33, 50), (17, 25), (9, 13), (5, 7)]

    def test_neighbours_are_taken_where_they_fit(self) -> None:
        """Half of the flow is wrong; next to the other half that is put right."""
        world = texture((64, 96), 5)
        first, second = world[..., 8:-8, 8:-8], world[..., 8:-8, 4:-12]
        flow = torch.zeros(1, 2, 48, 80)
        flow[:, 0, :, 40:] = 4
        mended = spread(first, second, flow, Sampler.of(first))
        assert (mended[0, 0, 8:-8, 38:40] == 4).float().mean() > 0.9
        assert (mended[0, 0, :, 43:] == 4).float().mean() > 0.9
        assert (mended[0, 0, :, :36] == 0).all()
