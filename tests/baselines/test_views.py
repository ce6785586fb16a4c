"""Views of a frame: their sizes, and their average back on the frame's own pixels."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import AdaptationError, SegmenterError, SegmenterOutput
from ditta_adapt.baselines.cotta import SCALES
from ditta_adapt.baselines.views import View, all_views, average_over_views, probabilities
from tests.baselines.nets import ConstantSegmenter, PixelSegmenter

sides = st.integers(1, 1000)


def test_fourteen_with_the_plain_one_fifth() -> None:
    views = list(all_views(SCALES))
    assert len(views) == 14
    assert [view.is_plain for view in views].index(True) == 4
    assert sum(view.is_plain for view in views) == 1
    assert views[5] == View(1.0, True)


@given(sides, sides, st.floats(0.25, 3))
def test_sizes_are_the_nearest_the_network_takes(height: int, width: int, scale: float) -> None:
    size = View(scale, False).size(height, width)
    if scale == 1:
        assert size == (height, width)
        return
    for side, given_side in zip(size, (height, width), strict=True):
        assert side % 32 == 0
        assert side >= 32
        assert abs(side - scale * given_side) <= 16 or side == 32


def test_sizes_by_hand() -> None:
    assert View(0.5, False).size(480, 864) == (256, 448)
    assert View(2.0, False).size(480, 864) == (960, 1728)
    assert View(0.5, True).size(37, 50) == (32, 32)


def test_shown_images() -> None:
    images = torch.rand(1, 3, 40, 50)
    assert View(1.0, False).show(images) is images
    assert torch.equal(View(1.0, True).show(images)[..., 0], images[..., -1])
    larger = View(2.0, True).show(images)
    expected = F.interpolate(images, (64, 96), mode="bilinear").flip(3)
    torch.testing.assert_close(larger, expected)


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 9), st.integers(1, 9))
def test_probabilities_stay_probabilities(seed: int, classes: int, height: int, width: int) -> None:
    logits = 5 * torch.randn(1, classes, 3, 4, generator=torch.Generator().manual_seed(seed))
    result = probabilities(logits, (height, width))
    assert result.shape == (1, classes, height, width)
    assert (result >= 0).all()
    torch.testing.assert_close(result.sum(1), torch.ones(1, height, width))


def test_softmax_comes_before_resizing() -> None:
    logits = torch.tensor([[4.0, -4.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    result = probabilities(logits, (1, 3))[0, 0, 0]
    assert result[1].item() == pytest.approx(0.5)
    assert result[0].item() == pytest.approx(1 / (1 + torch.e**-4), abs=1e-6)


def test_two_views_by_hand() -> None:
    """(0.9, 0.1) and (0.2, 0.8) average to (0.55, 0.45)."""

    class Changing(ConstantSegmenter):
        def decode(self, encoded: Tensor) -> SegmenterOutput:
            output = super().decode(encoded)
            self.scores.data = torch.tensor([0.2, 0.8]).log()
            return output

    segmenter = Changing([0.9, 0.1])
    segmenter.scores.data = torch.tensor([0.9, 0.1]).log()
    mean, plain = average_over_views(segmenter, torch.zeros(1, 3, 4, 5), (1.0,), (4, 5))
    torch.testing.assert_close(mean[0, :, 0, 0], torch.tensor([0.55, 0.45]))
    torch.testing.assert_close(plain[0, :, 0, 0], torch.tensor([0.9, 0.1]))


def test_mirrored_views_are_mirrored_back() -> None:
    """A model without any sense of place says the same of both views at scale 1."""
    images = torch.randn(1, 3, 6, 9)
    mean, plain = average_over_views(PixelSegmenter(), images, (1.0,), (6, 9))
    torch.testing.assert_close(mean, plain)
    torch.testing.assert_close(plain, images.softmax(1))


def test_a_size_the_model_refuses() -> None:
    class Fixed(PixelSegmenter):
        def encode(self, images: Tensor) -> Tensor:
            if tuple(images.shape[2:]) != (40, 50):
                raise ValueError("position table is for 40 x 50")
            return images

    images = torch.rand(1, 3, 40, 50)
    average_over_views(Fixed(), images, (1.0,), (40, 50))
    with pytest.raises(
        AdaptationError, match=r"0\.5, from \(40, 50\) to \(32, 32\).*position table.*scales="
    ):
        average_over_views(Fixed(), images, (0.5, 1.0), (40, 50))


def test_an_error_at_the_models_own_size_is_its_own() -> None:
    class Broken(PixelSegmenter):
        def encode(self, images: Tensor) -> Tensor:
            raise ValueError("broken")

    with pytest.raises(SegmenterError, match="encode of Broken raised ValueError: broken"):
        average_over_views(Broken(), torch.rand(1, 3, 4, 5), (1.0,), (4, 5))
