"""Second looks go without scales that are doubted, in the warm-up and the stream, or are none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import (
    AdaptConfig,
    CacheBudget,
    SecondLook,
    SegmenterOutput,
    SelfLabels,
    wrap,
)
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.second_look import second_look
from ditta_adapt.progress import silent
from ditta_adapt.safety.trusted_looks import look_twice
from ditta_adapt.targets.warm_up import WarmUp


class OneSize:
    """Dark and bright; of images of all sizes but some it says anything."""

    num_classes, feature_dim = 2, 1

    def __init__(self, blind: tuple[int, ...], refused: tuple[int, ...] = ()) -> None:
        self.head, self.blind, self.refused = nn.Conv2d(1, 2, 1), blind, refused
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([-8.0, 8.0]).view(2, 1, 1, 1))
            self.head.bias.copy_(torch.tensor([4.0, -4.0]))

    def preprocess(self, frames: Tensor) -> Tensor:
        if frames.shape[3] in self.refused:
            raise ValueError("not of this size")
        return frames.float() / 255

    def encode(self, images: Tensor) -> Tensor:
        grey = images.mean(dim=1, keepdim=True)
        generator = torch.Generator().manual_seed(int(images.sum() * 100) % 2**31)
        strength = 5.0 if images.shape[3] in self.blind else 0.25
        return grey + strength * torch.randn(grey.shape, generator=generator)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return SegmenterOutput(features=encoded, logits=self.head(encoded))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"head": self.head}


def video(length: int) -> list[np.ndarray]:
    blocks = np.kron(np.random.default_rng(0).integers(0, 2, (4, 8)), np.ones((16, 16), int))
    grey = [(70 + 100 * blocks + t).astype(np.uint8) for t in range(length)]
    return [np.repeat(each[..., None], 3, axis=2) for each in grey]


VIDEO = video(12)
LOOK = SecondLook(
    warmup_scales=(0.5, 1.5, 2.0), scales=(0.5, 2.0), first=(1, 2), budget=0.0, warmup_mirror=False
)


def adapted(segmenter: OneSize, **options: Any) -> tuple[Any, Any]:
    config = AdaptConfig(**{"look": LOOK} | options)
    model = wrap(segmenter, propagator="flow", config=config)
    return model, model.adapt(VIDEO[:6])


def test_it_is_left_out_of_the_warm_up_and_of_the_stream() -> None:
    model, report = adapted(OneSize(blind=(256,)))
    look = report.config.look
    assert 2.0 not in look.warmup_scales
    assert 0.5 in look.warmup_scales
    assert look.scales == (0.5,)
    assert "where the model's other looks speak against what it says" in str(report)
    for frame in VIDEO[6:8]:
        model(frame)
    # Two looks at half the size.
    assert model.state.plan.spent == pytest.approx(2 * 0.25)


def test_where_nothing_is_checked_nothing_is_doubted() -> None:
    _, report = adapted(OneSize(blind=(256,)), safety=None)
    assert report.config.look == LOOK


def test_streamed_frames_are_seen_at_the_smallest_size_that_is_left() -> None:
    _, report = adapted(OneSize(blind=(256,)), look=replace(LOOK, scales=(2.0,)))
    assert report.config.look.scales == (0.5,)


def test_larger_sizes_alone_are_not_trusted() -> None:
    model, report = adapted(OneSize(blind=(64,)))
    assert report.config.look is None
    assert report.config.targets is None
    assert not report.adapted
    assert "speak against what it says at scale 0.5, and no size below" in str(report)
    # What was seen before was paid for.
    assert report.look_passes == pytest.approx(6 * (0.25 + 2.25 + 4))
    for frame in VIDEO[6:8]:
        model(frame)
    assert model.state.plan is None
    # Targets that were asked for by name are trained on, with what is said at the usual size.
    _, report = adapted(OneSize(blind=(64,)), targets=SelfLabels())
    assert report.config.look is None
    assert report.config.targets == SelfLabels()
    assert report.losses


def test_the_next_video_is_asked_anew(tmp_path: Path) -> None:
    """What one video spoke against is not held against another, also from a saved folder."""
    model, report = adapted(OneSize(blind=(64,)))
    assert report.config.look is None
    model.save_pretrained(tmp_path)
    loaded = wrap(OneSize(blind=()), propagator="flow").load_pretrained(tmp_path)
    loaded(VIDEO[6])
    assert loaded.state.plan is None
    for each in (model, loaded):
        assert each.config.look == LOOK
    assert loaded.adapt(VIDEO[:6]).config.look == LOOK


def test_a_size_of_which_one_frame_was_not_taken_counts() -> None:
    segmenter = OneSize(blind=(256,))
    shown, left = segmenter.preprocess, [2]

    def forgetful(frames: Tensor) -> Tensor:
        if frames.shape[3] == 64:
            left[0] -= 1
            if not left[0]:
                raise ValueError("once")
        return shown(frames)

    segmenter.preprocess = forgetful  # type: ignore[method-assign]
    _, report = adapted(segmenter)
    assert report.config.look is not None
    assert 0.5 in report.config.look.warmup_scales


def test_a_stream_is_not_looked_at_by_larger_sizes_alone() -> None:
    look = replace(LOOK, warmup_scales=(0.25, 0.5, 1.5), scales=(0.5, 1.5))
    _, report = adapted(OneSize(blind=(64,)), look=look)
    assert report.config.look.warmup_scales == (0.25, 1.5)
    assert report.config.look.scales == (0.25, 1.5)


def test_without_looks_the_memory_still_starts_anew_in_another_scene() -> None:
    model, report = adapted(OneSize(blind=(64,)))
    assert report.config.look is None
    for frame in VIDEO[6:8]:
        model(frame)
    assert model.state.watched.left is None
    model(255 - VIDEO[8])
    assert model.state.watched.left is not None


@pytest.mark.parametrize("smaller", [(), (0.5,)])
def test_nor_are_they_where_a_smaller_one_is_not_taken(smaller: tuple[float, ...]) -> None:
    look = replace(LOOK, warmup_scales=(*smaller, 1.5, 2.0, 2.5))
    _, report = adapted(OneSize(blind=(256,), refused=(64,)), look=look)
    assert report.config.look is None
    # If nothing speaks against them they are what was asked for.
    _, report = adapted(OneSize(blind=(), refused=(64,)), look=look)
    assert report.config.look == look


def test_what_is_left_is_read_again(tmp_path: Path) -> None:
    model, report = adapted(OneSize(blind=(256,)))
    model.save_pretrained(tmp_path)
    read = wrap(OneSize(blind=(256,)), propagator="flow").load_pretrained(tmp_path)
    assert read._stream.config.look == report.config.look


def test_looks_that_are_not_used_leave_no_trace_but_their_cost() -> None:
    segmenter, frames = OneSize(blind=(256,)), [frame_to_tensor(frame) for frame in VIDEO[:6]]
    space = CacheBudget()
    warm_up = WarmUp.from_frames(segmenter, frames, silent, budget=space)
    looked, config, _ = look_twice(warm_up, AdaptConfig(look=LOOK), silent)
    alone = WarmUp.from_frames(segmenter, frames, silent, budget=space)
    expected = alone.looking(config.look).looked_at(silent)
    assert looked.looks is not None
    assert expected.looks is not None
    assert torch.equal(looked.looks[0], expected.looks[0])
    assert looked.space._left == alone.space._left
    # Six frames at all three sizes, and again at those that are left.
    assert looked.look_passes == pytest.approx(6 * (0.25 + 2.25 + 4) + expected.looks.passes)


def test_a_scale_of_one_is_no_view() -> None:
    segmenter = OneSize(blind=())
    frame = torch.from_numpy(VIDEO[0]).permute(2, 0, 1)
    images = segmenter.preprocess(frame[None])
    plain = segmenter.decode(segmenter.encode(images)).logits.detach()
    for mirror in (False, True):
        look = second_look(
            cast(Any, segmenter), frame, plain, (1.0, 2.0), mirror=mirror, views=True
        )
        assert look.views is not None
        assert list(look.views.others) == [2.0]
    assert second_look(cast(Any, segmenter), frame, plain, (2.0,)).views is None


def test_sizes_that_the_model_does_not_take() -> None:
    _, report = adapted(OneSize(blind=(), refused=(192,)))
    assert "scale 1.5, which the model did not take" in str(report)
    # A model that takes none is not looked at.
    _, report = adapted(OneSize(blind=(), refused=(64, 192, 256)))
    assert "there was no second look" in str(report)
    assert "speak against" not in str(report)
