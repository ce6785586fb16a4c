"""Second looks: the frozen model on a frame at other sizes, its opinions averaged."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, SegmenterOutput
from ditta_adapt.models.around import Around
from ditta_adapt.models.forward import frame_output
from ditta_adapt.models.second_look import second_look
from ditta_adapt.models.shown_at import takes_scale
from ditta_adapt.models.with_detail import WithDetail
from tests.toys import NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAME = torch.from_numpy(toy_video(1, (64, 128))[0]).permute(2, 0, 1)


def hooked(**options: Any) -> HookedSegmenter:
    return HookedSegmenter(ToyNet().eval(), decoder="decoder", features="decoder.2", **options)


def usual(segmenter: Any, frame: Tensor = FRAME) -> Tensor:
    return frame_output(segmenter, frame).logits


def seen(segmenter: Any, images: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Probabilities of the toy network on images, on a grid."""
    with torch.no_grad():
        logits = segmenter.model(images)
    return F.interpolate(logits, grid, mode="bilinear", align_corners=False).softmax(1)


def normalised(frame: Tensor, size: tuple[int, int]) -> Tensor:
    """As `hooked` prepares a frame: resized in floating point, ImageNet's statistics."""
    resized = F.interpolate(frame[None].float(), size, mode="bilinear", antialias=True)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (resized / 255 - mean) / std


@pytest.mark.parametrize("mirror", [False, True])
def test_the_mean_over_sizes_by_hand(mirror: bool) -> None:
    segmenter = hooked()
    plain = usual(segmenter)
    look = second_look(segmenter, FRAME, plain, (0.5, 1.5), mirror=mirror)
    grid = tuple(plain.shape[2:])
    opinions = []
    for size in ((64, 128), (32, 64), (96, 192)):
        images = normalised(FRAME, size)
        opinions.append(seen(segmenter, images, grid))
        if mirror:
            opinions.append(seen(segmenter, images.flip(3), grid).flip(3))
    assert look.logits is not None
    torch.testing.assert_close(
        look.logits.exp(), torch.stack(opinions).mean(0), rtol=1e-4, atol=1e-5
    )
    # A quarter and 2.25 passes; mirrored once more, and the usual size mirrored.
    assert look.passes == pytest.approx(2 * 2.5 + 1 if mirror else 2.5)
    assert look.missing == ()
    # The judge does not hear the usual size.
    beside = torch.stack(opinions[2:] if mirror else opinions[1:]).mean(0)
    assert look.labels is not None
    assert (look.labels == beside[0].argmax(0)).float().mean() > 0.999
    assert look.logits.dtype == torch.float32
    torch.testing.assert_close(look.logits.exp().sum(1), torch.ones(1, *grid))


def test_more_detail_is_seen_than_the_model_usually_gets() -> None:
    """Where frames are made smaller, a larger size is made from the frame, not from the image."""
    segmenter = hooked(size=(32, 64))
    plain = usual(segmenter)
    look = second_look(segmenter, FRAME, plain, (2.0,))
    grid = tuple(plain.shape[2:])
    expected = (
        seen(segmenter, normalised(FRAME, (32, 64)), grid)
        + seen(segmenter, normalised(FRAME, (64, 128)), grid)
    ) / 2
    assert look.logits is not None
    torch.testing.assert_close(look.logits.exp(), expected, rtol=1e-4, atol=1e-5)


def test_a_segmenter_without_the_argument_is_shown_resized_frames() -> None:
    segmenter = toy_segmenter()
    assert not takes_scale(segmenter)
    assert takes_scale(hooked())
    look = second_look(segmenter, FRAME, usual(segmenter), (0.5, 2.0))
    assert look.logits is not None
    assert look.passes == pytest.approx(0.25 + 4)


def test_a_segmenter_around_another_sees_the_same_detail() -> None:
    # Its images are of one size, so that without the argument there were none at half of it.
    inner = hooked(size=(16, 20))
    for around in (Around(inner), Around(toy_segmenter())):
        expected = second_look(around.segmenter, FRAME, usual(around.segmenter), (0.5, 2.0))
        found = second_look(around, FRAME, usual(around), (0.5, 2.0))
        assert expected.logits is not None
        assert found.logits is not None
        assert found.missing == expected.missing == ()
        assert torch.equal(found.logits, expected.logits)
    assert second_look(WithDetail(inner), FRAME, usual(WithDetail(inner)), (0.5,)).missing == ()


class FixedSegmenter(ToySegmenter):
    """A model that is shown one size, whatever the frame's."""

    def preprocess(self, frames: Tensor) -> Tensor:
        return super().preprocess(F.interpolate(frames.float(), (24, 24)).to(torch.uint8))


def test_a_model_of_a_fixed_size_is_shown_windows() -> None:
    segmenter = FixedSegmenter(ToyNet().eval())
    plain = usual(segmenter)
    look = second_look(segmenter, FRAME, plain, (0.5, 2.0))
    # It cannot see a whole frame smaller; the four quarters cost four passes.
    assert look.missing == (0.5,)
    assert look.passes == pytest.approx(4)
    quarters = torch.zeros_like(plain)
    for top in (0, 1):
        for left in (0, 1):
            part = FRAME[:, 32 * top : 32 * top + 32, 64 * left : 64 * left + 64]
            part = F.interpolate(part[None], (64, 128), mode="bilinear", antialias=True)
            logits = segmenter.decode(segmenter.encode(segmenter.preprocess(part))).logits.detach()
            small = F.interpolate(logits, (6, 6), mode="bilinear", align_corners=False)
            quarters[:, :, 6 * top : 6 * top + 6, 6 * left : 6 * left + 6] = small.softmax(1)
    assert look.logits is not None
    expected = (plain.softmax(1) + quarters) / 2
    torch.testing.assert_close(look.logits.exp(), expected, rtol=1e-4, atol=1e-5)


def test_overlapping_windows_cover_the_frame() -> None:
    segmenter = FixedSegmenter(ToyNet().eval())
    look = second_look(segmenter, FRAME, usual(segmenter), (1.5,))
    assert look.logits is not None
    torch.testing.assert_close(look.logits.exp().sum(1), torch.ones(1, 12, 12))


class Picky(ToyNet):
    """Takes no image above a size."""

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[2] > 100:
            raise RuntimeError("too large")
        if images.shape[2] < 40:
            raise torch.OutOfMemoryError("not enough memory")
        return super().forward(images)


class PickySegmenter(ToySegmenter):
    def encode(self, images: Tensor) -> Tensor:
        self.model(images)
        return super().encode(images)


def test_what_the_model_does_not_take_is_left_out() -> None:
    segmenter = PickySegmenter(Picky().eval())
    plain = usual(segmenter)
    look = second_look(segmenter, FRAME, plain, (0.5, 0.75, 2.0))
    assert look.missing == (0.5, 2.0)
    only = second_look(segmenter, FRAME, plain, (0.75,))
    assert look.logits is not None
    assert only.logits is not None
    torch.testing.assert_close(look.logits, only.logits)
    none = second_look(segmenter, FRAME, plain, (0.5, 2.0))
    assert none.logits is None
    assert none.passes == 0


class OddSegmenter:
    """Asks for sides that are multiples of 16, and has no name for scales."""

    num_classes, feature_dim = NUM_CLASSES, NUM_CLASSES

    def __init__(self) -> None:
        self.model = ToyNet().eval()

    def preprocess(self, frames: Tensor) -> Tensor:
        if any(side % 16 for side in frames.shape[2:]):
            raise ValueError(f"sides {tuple(frames.shape[2:])}")
        return frames.float() / 127.5 - 1

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        logits = self.model(encoded)
        return SegmenterOutput(logits, logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"decoder": self.model.decoder}


def test_sides_stay_multiples_of_what_they_were() -> None:
    segmenter = OddSegmenter()
    look = second_look(segmenter, FRAME, usual(segmenter), (0.75, 1.5, 2.0))
    assert look.missing == ()


def test_the_model_and_its_frame_are_left_as_they_were() -> None:
    segmenter = hooked()
    before = {k: v.clone() for k, v in segmenter.model.state_dict().items()}
    plain = usual(segmenter)
    frame, copy = FRAME.clone(), plain.clone()
    second_look(segmenter, frame, plain, (0.5, 2.0), mirror=True)
    assert torch.equal(frame, FRAME)
    assert torch.equal(plain, copy)
    after = segmenter.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
