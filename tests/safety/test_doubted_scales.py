"""Scales at which a model sees little are found by what its other looks say, and left out."""

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
from ditta_adapt.safety.doubted_scales import doubted_scales
from ditta_adapt.safety.trusted_looks import look_twice
from ditta_adapt.targets.warm_up import WarmUp

CLASSES, SIZE = 4, (24, 32)


def noisy(truth: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    wrong = random.random(truth.shape) < share
    return np.where(wrong, random.integers(0, CLASSES, truth.shape), truth)


def doubted(usual: list[np.ndarray], views: list[dict[float, np.ndarray]]) -> tuple[float, ...]:
    shown = [{s: torch.from_numpy(v).to(torch.uint8) for s, v in each.items()} for each in views]
    return doubted_scales([torch.from_numpy(each) for each in usual], shown, CLASSES)


def seen(
    shares: Mapping[float, float], frames: int, usual: float = 0.2, seed: int = 0
) -> tuple[list[np.ndarray], list[dict[float, np.ndarray]]]:
    random = np.random.default_rng(seed)
    plain, views = [], []
    for _ in range(frames):
        truth = np.kron(random.integers(0, CLASSES, (3, 4)), np.ones((8, 8), int))
        plain.append(noisy(truth, usual, random))
        views.append({scale: noisy(truth, share, random) for scale, share in shares.items()})
    return plain, views


def iou(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    both = [((labels == c) & (others == c)).sum() for c in range(CLASSES)]
    either = [((labels == c) | (others == c)).sum() for c in range(CLASSES)]
    return np.array([b / e if e else 1.0 for b, e in zip(both, either, strict=True)])


def differences(plain: np.ndarray, views: Mapping[float, np.ndarray], scale: float) -> float:
    """The formula, in numpy."""
    found = []
    for other, view in views.items():
        if other != scale:
            areas = [[(x == c).sum() for c in range(CLASSES)] for x in (views[scale], plain, view)]
            weight = np.sqrt(np.max(areas, axis=0))
            own, alone = iou(views[scale], view), iou(plain, view)
            found.append(np.average(own - alone, weights=weight))
    return float(np.mean(found))


def test_the_one_that_the_others_speak_against() -> None:
    shares = {0.75: 0.1, 1.5: 0.15, 2.0: 0.7}
    assert doubted(*seen(shares, frames=8)) == (2.0,)


@pytest.mark.parametrize("seed", range(8))
def test_as_the_formula_says_one_after_the_other(seed: int) -> None:
    shares = {0.5: 0.3, 0.75: 0.22, 1.5: 0.24, 2.0: 0.26}
    plain, views = seen(shares, frames=5, seed=seed)
    kept, expected = list(shares), []
    while len(kept) > 1:
        sure = {}
        for scale in kept:
            own = [{s: each[s] for s in kept} for each in views]
            found = [differences(plain[t], own[t], scale) for t in range(5)]
            # Student's t with four degrees of freedom.
            if np.mean(found) + 2.776 * np.std(found, ddof=1) / np.sqrt(5) < 0:
                sure[scale] = np.mean(found)
        if not sure:
            break
        expected.append(min(sure, key=lambda scale: sure[scale]))
        kept.remove(expected[-1])
    assert doubted(plain, views) == tuple(expected)


def test_one_that_sees_nothing_does_not_speak_against_those_that_do() -> None:
    # At .75 and at 1.5 times the size more is seen than as usual, at the others nothing.
    plain, views = seen({0.75: 0.1, 1.5: 0.1}, frames=8, usual=0.3)
    blind = np.random.default_rng(1).integers(0, CLASSES, plain[0].shape)
    worse = [each | {2.0: blind, 3.0: blind[::-1].copy()} for each in views]
    assert set(doubted(plain, worse)) == {2.0, 3.0}


def test_the_last_one_stays() -> None:
    shares = {0.5: 0.9, 1.5: 0.8, 2.0: 0.95}
    assert len(doubted(*seen(shares, frames=8, usual=0.1))) == 2
    assert doubted(*seen({2.0: 0.9}, frames=8)) == ()
    assert doubted([], []) == ()


def test_two_frames_are_not_enough() -> None:
    assert doubted(*seen({0.75: 0.2, 1.5: 0.2, 2.0: 0.9}, frames=2)) == ()


def test_a_scale_may_be_missing_on_some_frames() -> None:
    plain, views = seen({0.75: 0.1, 1.5: 0.1, 2.0: 0.8}, frames=8)
    some = [{s: v for s, v in each.items() if s != 2.0 or t % 2} for t, each in enumerate(views)]
    assert doubted(plain, some) == (2.0,)
    few = [{s: v for s, v in each.items() if s != 2.0 or t < 2} for t, each in enumerate(views)]
    assert doubted(plain, few) == ()


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
    assert "speak against what it says at scale 0.5, and larger ones alone" in str(report)
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
    assert read.config.look == report.config.look


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
        assert list(look.views) == [2.0]
    assert not second_look(cast(Any, segmenter), frame, plain, (2.0,)).views


def test_sizes_that_the_model_does_not_take() -> None:
    _, report = adapted(OneSize(blind=(256,), refused=(192,)))
    assert "scale 1.5, which the model did not take" in str(report)
    # A model that takes none is not looked at.
    _, report = adapted(OneSize(blind=(), refused=(64, 192, 256)))
    assert "there was no second look" in str(report)
    assert "speak against" not in str(report)
