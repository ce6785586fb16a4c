"""Two resolutions: by hand before anything is learned, and as a segmenter like any other."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import wrap
from ditta_adapt.models.forward import frame_output
from ditta_adapt.models.parameters import adaptable_parameters, weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.with_detail import WithDetail
from ditta_adapt.testing import check_segmenter
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAME = torch.from_numpy(toy_video(1, (40, 60))[0]).permute(2, 0, 1)


def by_hand(frame: torch.Tensor, share: float) -> torch.Tensor:
    """Each pixel of the fused grid: `share` of the mean of the parts over it, the rest whole."""
    segmenter = toy_segmenter()
    with torch.no_grad():
        whole = segmenter.decode(segmenter.encode(segmenter.preprocess(frame[None]))).logits
        h, w = whole.shape[2:]
        size = round(h / 0.6), round(w / 0.6)
        total, count = torch.zeros(1, whole.shape[1], *size), torch.zeros(size)
        # Of a frame of 40 x 60, and of the grid of 33 x 50, what a part of .6 of it covers.
        for rows, grid_rows in ((slice(0, 24), slice(0, 20)), (slice(16, 40), slice(13, 33))):
            for columns, grid in ((slice(0, 36), slice(0, 30)), (slice(24, 60), slice(20, 50))):
                image = F.interpolate(
                    frame[None, :, rows, columns].float(), frame.shape[1:], mode="bilinear"
                )
                image = image.round().clamp(0, 255).byte()
                found = segmenter.decode(segmenter.encode(segmenter.preprocess(image))).logits
                place = grid_rows.stop - grid_rows.start, grid.stop - grid.start
                total[:, :, grid_rows, grid] += F.interpolate(found, place, mode="bilinear")
                count[grid_rows, grid] += 1
        detail = total / count
        return (1 - share) * F.interpolate(whole, size, mode="bilinear") + share * detail


@pytest.mark.parametrize("share", [0.5, 0.0, 1.0])
def test_the_fused_logits_by_hand(share: float) -> None:
    own = WithDetail(toy_segmenter())
    with torch.no_grad():
        own.attention.share.bias.fill_({0.5: 0.0, 0.0: -100.0, 1.0: 100.0}[share])
    found = frame_output(own, FRAME)
    expected = by_hand(FRAME, share)
    assert found.logits.shape == expected.shape
    # Images are resized to whole grey levels, in two ways that may round differently.
    torch.testing.assert_close(found.logits, expected, atol=0.05, rtol=0.02)


def test_at_first_parts_are_hardly_listened_to() -> None:
    own = WithDetail(toy_segmenter())
    shares = own.attention(torch.randn(2, own.feature_dim, 3, 4))
    torch.testing.assert_close(shares, torch.full_like(shares, 0.05))
    found = frame_output(own, FRAME)
    torch.testing.assert_close(found.logits, by_hand(FRAME, 0.05), atol=0.05, rtol=0.02)


def test_a_batch_of_frames_is_that_of_each() -> None:
    own = WithDetail(toy_segmenter())
    frames = torch.stack([FRAME, FRAME.flip(2)])
    with torch.no_grad():
        together = own.decode(own.encode(own.preprocess(frames)))
    for number, frame in enumerate(frames):
        alone = frame_output(own, frame)
        torch.testing.assert_close(together.logits[number], alone.logits[0])
        torch.testing.assert_close(together.features[number], alone.features[0])


def test_it_keeps_the_rules_of_a_segmenter() -> None:
    report = check_segmenter(
        lambda: WithDetail(toy_segmenter()),
        on_fail="report",
        expected_failures={"dtype_moves": "the toy's preprocess always gives float32"},
    )
    assert report.ok, str(report)


def test_the_attention_is_adapted_and_copied_with_the_decoder() -> None:
    segmenter = toy_segmenter()
    before = weight_hash(segmenter)
    own = WithDetail(segmenter)
    attention = {id(parameter) for parameter in own.attention.parameters()}
    first = own.attention.share.bias.detach().clone()
    assert attention < {id(parameter) for parameter in adaptable_parameters(own)}
    copied = private_copy(own)
    with torch.no_grad():
        for parameter in adaptable_parameters(copied):
            parameter.add_(1.0)
    assert weight_hash(segmenter) == before
    assert torch.equal(own.attention.share.bias, first)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_model_of_another_precision(dtype: torch.dtype) -> None:
    class Precise(ToySegmenter):
        def preprocess(self, frames: torch.Tensor) -> torch.Tensor:
            return super().preprocess(frames).to(dtype)

    own = WithDetail(Precise(ToyNet().to(dtype).eval()))
    output = frame_output(own, FRAME)
    assert output.logits.dtype == output.features.dtype == dtype
    expected = frame_output(WithDetail(toy_segmenter()), FRAME).logits
    torch.testing.assert_close(output.logits.float(), expected, atol=0.1, rtol=0.1)


def test_the_callers_random_state_is_untouched() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    WithDetail(toy_segmenter())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (41, 59)])
def test_a_video_of_any_size(size: tuple[int, int]) -> None:
    frames = toy_video(5, size)
    labels = list(wrap(WithDetail(toy_segmenter())).segment(frames, warmup=3))
    assert all(np.asarray(each).shape == size for each in labels)
