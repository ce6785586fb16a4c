"""Scales at which a model sees little are found by what its other looks say, and left out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, SecondLook, SegmenterOutput, wrap
from ditta_adapt.models.second_look import second_look
from ditta_adapt.safety.doubted_scales import doubted_scales
from ditta_adapt.streaming.look_plan import LookPlan

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
    shares = {1.0: 0.2, 0.75: 0.1, 1.5: 0.2, 2.0: 0.7}
    plain, views = seen(shares, frames=8)
    assert doubted(plain, views) == (2.0,)


@pytest.mark.parametrize("seed", range(6))
def test_as_the_formula_says(seed: int) -> None:
    shares = {1.0: 0.2, 0.75: 0.22, 1.5: 0.24, 2.0: 0.26}
    plain, views = seen(shares, frames=5, seed=seed)
    expected = []
    for scale in (0.75, 1.5, 2.0):
        found = [differences(plain[t], views[t], scale) for t in range(5)]
        # Student's t with four degrees of freedom.
        if np.mean(found) + 2.776 * np.std(found, ddof=1) / np.sqrt(5) < 0:
            expected.append(scale)
    if 1.5 in expected and 2.0 not in expected:
        expected.append(2.0)
    assert doubted(plain, views) == tuple(expected)


def test_what_lies_beyond_is_doubted_too() -> None:
    shares = {1.0: 0.2, 0.5: 0.2, 0.75: 0.2, 1.5: 0.7, 2.0: 0.15, 3.0: 0.15}
    assert doubted(*seen(shares, frames=8)) == (1.5, 2.0, 3.0)
    shares = {1.0: 0.2, 0.5: 0.15, 0.75: 0.7, 1.5: 0.2, 2.0: 0.2}
    assert doubted(*seen(shares, frames=8)) == (0.5, 0.75)


def test_two_frames_are_not_enough() -> None:
    plain, views = seen({1.0: 0.2, 1.5: 0.2, 2.0: 0.9}, frames=2)
    assert doubted(plain, views) == ()


def test_without_another_view_nobody_speaks_against_it() -> None:
    plain, views = seen({2.0: 0.9}, frames=8)
    assert doubted(plain, views) == ()
    # The mirrored one is enough, and is never left out itself.
    plain, views = seen({1.0: 0.2, 2.0: 0.9}, frames=8)
    assert doubted(plain, views) == (2.0,)
    plain, views = seen({1.0: 0.9, 2.0: 0.2}, frames=8)
    assert doubted(plain, views) == ()


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
LOOK = SecondLook(warmup_scales=(0.5, 2.0), scales=(0.5, 2.0), first=(1, 2), budget=0.0)


def adapted(segmenter: OneSize, **options: Any) -> tuple[Any, Any]:
    config = AdaptConfig(**{"look": LOOK} | options)
    model = wrap(segmenter, propagator="flow", config=config)
    return model, model.adapt(VIDEO[:6])


def test_it_is_left_out_of_the_warm_up_and_of_the_stream() -> None:
    model, report = adapted(OneSize(blind=(256,)))
    look = report.config.look
    assert (look.warmup_scales, look.scales) == ((0.5,), (0.5,))
    assert "go without scale 2.0, where the model's other looks speak against" in str(report)
    for frame in VIDEO[6:8]:
        model(frame)
    # Two looks at half the size.
    assert model.state.plan.spent == pytest.approx(2 * 0.25)


def test_where_nothing_is_checked_nothing_is_doubted() -> None:
    _, report = adapted(OneSize(blind=(256,)), safety=None)
    assert report.config.look == LOOK


def test_if_every_size_is_doubted_the_mirrored_frame_is_what_is_seen() -> None:
    model, report = adapted(OneSize(blind=(64, 256)))
    look = report.config.look
    assert (look.warmup_scales, look.scales) == ((), ())
    for frame in VIDEO[6:9]:
        model(frame)
    assert model.state.plan.spent == pytest.approx(2 * 1.0)
    assert "the mirrored frame is seen instead" in str(report)


def test_a_model_that_is_not_to_be_mirrored_is_not() -> None:
    look = replace(LOOK, warmup_mirror=False)
    _, report = adapted(OneSize(blind=(64, 256)), look=look)
    # Of two other sizes each is all that speaks of the other.
    assert report.config.look in (None, look)
    shares = replace(look, warmup_scales=(0.5, 2.0, 3.0), scales=(2.0,))
    _, report = adapted(OneSize(blind=(256,)), look=shares)
    assert report.config.look.scales != ()


def test_a_scale_of_one_is_no_view() -> None:
    segmenter = OneSize(blind=())
    frame = torch.from_numpy(VIDEO[0]).permute(2, 0, 1)
    images = segmenter.preprocess(frame[None])
    plain = segmenter.decode(segmenter.encode(images)).logits.detach()
    look = second_look(cast(Any, segmenter), frame, plain, (1.0, 2.0), views=True)
    assert list(look.views) == [2.0]
    assert look.passes == 4.0


def test_sizes_that_the_model_does_not_take_are_no_way_out() -> None:
    _, report = adapted(OneSize(blind=(256,), refused=(64,)))
    look = report.config.look
    assert (look.warmup_scales, look.scales) == ((), ())
    assert "scale 0.5, which the model did not take" in str(report)
    # A model that takes none is not looked at, as before.
    _, report = adapted(OneSize(blind=(), refused=(64, 256)))
    assert "there was no second look" in str(report)


def test_the_mirrored_frame_alone_by_hand() -> None:
    segmenter = OneSize(blind=())
    frame = torch.from_numpy(VIDEO[0]).permute(2, 0, 1)
    images = segmenter.preprocess(frame[None])
    plain = segmenter.decode(segmenter.encode(images)).logits.detach()
    mirrored = segmenter.decode(segmenter.encode(images.flip(3))).logits.detach().flip(3)
    look = second_look(cast(Any, segmenter), frame, plain, ())
    assert look.logits is not None
    expected = (plain.softmax(1) + mirrored.softmax(1)) / 2
    torch.testing.assert_close(look.logits.exp(), expected)
    assert torch.equal(cast(Tensor, look.labels), mirrored[0].argmax(0))
    assert (look.passes, look.sizes, look.missing) == (1.0, 1, ())
    assert not look.views
    seen = second_look(cast(Any, segmenter), frame, plain, (), views=True).views
    assert list(seen) == [1.0]
    assert torch.equal(seen[1.0], mirrored[0].argmax(0))


def test_a_plan_without_scales_reckons_with_a_pass() -> None:
    plan = LookPlan(replace(LOOK, scales=(), first=(), budget=0.5))
    due = []
    for _ in range(4):
        plan = plan.next()
        due.append(plan.due)
        if plan.due:
            plan = plan.after(1.0)
    assert due == [False, True, False, True]
