"""What holds for every method: the three verbs, isolation, restarts, repeatability."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import (
    AdaptationError,
    InputError,
    Progress,
    SegmenterError,
    SegmenterOutput,
    ShapeError,
    UnknownModelError,
    wrap,
)
from ditta_adapt.baselines import AuxAdapt, CoTTA, ImageModel, Method, Tent
from ditta_adapt.models.parameters import modules_of
from tests.baselines.nets import NormNet, NormSegmenter, norm_segmenter
from tests.models.test_isolation import assert_same, snapshot
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

Make = Callable[..., Any]


def make_aux(segmenter: Any, **options: Any) -> AuxAdapt:
    return AuxAdapt(segmenter, toy_segmenter(seed=5), **options)


def make_cotta(segmenter: Any, **options: Any) -> CoTTA:
    options = {"learning_rate": 1e-2, "ema_rate": 0.5, "scales": (1.0, 1.5)} | options
    return CoTTA(segmenter, **options)


LEARNING: dict[str, Make] = {
    "tent": lambda s: Tent(s, learning_rate=1e-2, dropout=True),
    "tent-decoder": lambda s: Tent(s, learning_rate=1e-2, scope="decoder", loss="hard_label"),
    "tent-running": lambda s: Tent(s, learning_rate=1e-2, statistics="running", steps=2),
    "cotta": make_cotta,
    "cotta-decoder": lambda s: make_cotta(s, scope="decoder"),
    "auxadapt": lambda s: make_aux(s, learning_rate=1e-2),
    "auxadapt-probs": lambda s: make_aux(s, learning_rate=1e-2, fuse="probs", loss_on="aux"),
}
ALL: dict[str, Make] = {
    "image": ImageModel,
    "tent": LEARNING["tent"],
    "cotta": make_cotta,
    "cotta-decoder": LEARNING["cotta-decoder"],
    "auxadapt": LEARNING["auxadapt"],
    "tent-episodic": lambda s: Tent(s, episodic=True, steps=3, learning_rate=1e-2, dropout=True),
}
learning = pytest.mark.parametrize("make", LEARNING.values(), ids=LEARNING)
every = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def scores_of(method: Any, frames: list[np.ndarray]) -> list[Tensor]:
    """What the labels are the largest of, so that a change too small for a label is seen."""
    return [method._answer(torch.from_numpy(frame).permute(2, 0, 1)) for frame in frames]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every
class TestEveryMethod:
    def test_is_a_method_and_labels_frames(self, make: Make) -> None:
        frames = toy_video(4)
        method = make(toy_segmenter())
        assert isinstance(method, Method)
        method.adapt(frames[:3])
        labels = method(frames[3])
        assert labels.dtype == torch.int64
        assert torch.equal(labels, scores_of(method, frames[3:])[0][0].argmax(0))
        assert labels.shape == frames[3].shape[:2]

    def test_the_users_model_is_as_it_was_after_every_call(self, make: Make) -> None:
        net = NormNet().train()
        net.encoder.eval()
        net.decoder[1].weight.requires_grad_(False)
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, 3.0)
        before, frames = snapshot(net), toy_video(3)
        method = make(NormSegmenter(net))
        for step in (lambda: method.adapt(frames[:2]), lambda: method(frames[2]), method.reset):
            step()
            assert_same(snapshot(net), copy.copy(before))
        assert all(bool((parameter.grad == 3).all()) for parameter in net.parameters())

    def test_repeats_bit_for_bit_and_leaves_the_random_state(self, make: Make) -> None:
        frames, outputs = toy_video(4), []
        for noise in (1, 2):
            torch.manual_seed(noise)
            method = make(norm_segmenter())
            losses = method.adapt(frames[:3])
            scores = scores_of(method, frames[3:])
            outputs.append((losses, scores))
            drawn = torch.rand(3)
            torch.manual_seed(noise)
            assert torch.equal(drawn, torch.rand(3))
        assert outputs[0][0] == outputs[1][0]
        assert same(outputs[0][1], outputs[1][1])

    def test_adapting_twice_is_adapting_once(self, make: Make) -> None:
        frames, other = toy_video(4), toy_video(3, size=(40, 44), seed=3)
        once, twice = make(norm_segmenter()), make(norm_segmenter())
        twice.adapt(other)
        twice(other[2])
        assert twice.adapt(frames[:3]) == once.adapt(frames[:3])
        assert same(scores_of(once, frames), scores_of(twice, frames))

    def test_the_order_of_videos_does_not_matter(self, make: Make) -> None:
        videos = [toy_video(4, seed=seed) for seed in (1, 2)]
        method, results = make(norm_segmenter()), []
        for order in ((0, 1), (1, 0)):
            scores = {}
            for index in order:
                method.adapt(videos[index][:3])
                scores[index] = scores_of(method, videos[index][3:])
                method.reset()
            results.append([*scores[0], *scores[1]])
        assert same(*results)

    def test_reset_is_bit_exact(self, make: Make) -> None:
        frames = toy_video(4)
        method = make(norm_segmenter())
        before = scores_of(method, frames)
        method.adapt(frames[:3])
        method.reset()
        assert same(scores_of(method, frames), before)
        method(np.zeros((20, 30, 3), np.uint8))  # The frame size is forgotten too.

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_the_callers_gradient_mode_does_not_matter(self, make: Make, mode: Any) -> None:
        frames = toy_video(4)
        plain = make(norm_segmenter())
        losses = plain.adapt(frames[:3])
        with mode():
            method = make(norm_segmenter())
            assert method.adapt(frames[:3]) == losses
            labels = method(torch.from_numpy(frames[3]) + 0)
            method.reset()
        assert torch.equal(labels, plain(frames[3]))
        assert method.adapt(frames[:3]) == losses

    def test_weights_are_frozen_while_streaming(self, make: Make) -> None:
        frames = toy_video(5)
        method = make(norm_segmenter())
        method.adapt(frames[:2])
        before = scores_of(method, frames)
        for frame in frames[2:]:
            method(frame)
        assert same(scores_of(method, frames), before)

    def test_a_frame_of_another_size(self, make: Make) -> None:
        method = make(toy_segmenter())
        method.adapt(toy_video(2))
        with pytest.raises(ShapeError, match=r"\(20, 30\).*\(37, 50\).*reset"):
            method(np.zeros((20, 30, 3), np.uint8))
        method(toy_video(1)[0])

    @pytest.mark.usefixtures("unchecked")
    def test_bad_frames(self, make: Make) -> None:
        method, frame = make(toy_segmenter()), toy_video(1)[0]
        with pytest.raises(InputError, match="no frames"):
            method.adapt([])
        with pytest.raises(ShapeError, match="frame 1 is"):
            method.adapt([frame, frame[:-1]])
        with pytest.raises(ShapeError, match="float32"):
            method(frame.astype(np.float32))
        with pytest.raises(ShapeError, match="channels-first"):
            method.adapt([frame.transpose(2, 0, 1)])

    def test_logits_that_are_not_finite(self, make: Make) -> None:
        segmenter = toy_segmenter()
        with torch.no_grad():
            segmenter.model.decoder[-1].bias[1] = float("nan")
        method, frames = make(segmenter), toy_video(2)
        with pytest.raises(SegmenterError, match="not finite"):
            method(frames[0])
        if not isinstance(method, ImageModel) and not getattr(method, "episodic", False):
            with pytest.raises(SegmenterError, match="not finite"):
                method.adapt(frames)

    def test_no_model(self, make: Make) -> None:
        with pytest.raises(UnknownModelError, match=r"expected a torch.nn.Module"):
            make(len)


@learning
class TestEveryMethodThatLearns:
    def test_learns_and_reports(self, make: Make) -> None:
        frames, seen = toy_video(4), list[Progress]()
        method = make(norm_segmenter())
        before = scores_of(method, frames)
        losses = method.adapt(frames[:3], progress=seen.append)
        assert not same(scores_of(method, frames), before)
        assert [step.loss for step in seen] == losses
        assert [step.done for step in seen] == list(range(1, seen[0].total + 1))
        assert len(losses) == 3 * getattr(method, "steps", 1)

    @pytest.mark.parametrize("call", [3, 6])
    def test_when_decode_raises_half_way(self, make: Make, call: int) -> None:
        calls = 0

        class Failing(ToySegmenter):
            def decode(self, encoded: Tensor) -> SegmenterOutput:
                nonlocal calls
                calls += 1
                if calls == call:
                    raise RuntimeError("no kernel")
                return super().decode(encoded)

        net, frames = ToyNet().train(), toy_video(8)
        before = snapshot(net)
        method = make(Failing(net))
        with pytest.raises(SegmenterError, match="Failing raised RuntimeError: no kernel"):
            method.adapt(frames)
        assert calls == call
        assert_same(snapshot(net), before)
        method.adapt(frames[:1])

    def test_when_the_callback_interrupts(self, make: Make) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.done == 2:
                raise KeyboardInterrupt

        net, frames = NormNet().train(), toy_video(3)
        before = snapshot(net)
        method = make(NormSegmenter(net))
        method.adapt(frames[1:])
        adapted = scores_of(method, frames)
        with pytest.raises(KeyboardInterrupt):
            method.adapt(toy_video(3, seed=8), progress=interrupt)
        assert_same(snapshot(net), before)
        assert same(scores_of(method, frames), adapted)

    def test_when_the_loss_explodes(self, make: Make) -> None:
        net, frames = NormNet().eval(), toy_video(3)
        before = snapshot(net)
        method = make(NormSegmenter(net))
        method.learning_rate = 1e30
        with pytest.raises(AdaptationError, match=r"not finite.*learning_rate \(now 1e\+30\)"):
            method.adapt(frames * 3)
        assert_same(snapshot(net), before)

    def test_a_rate_of_zero_is_the_model_as_it_is(self, make: Make) -> None:
        frames = toy_video(3)
        method = make(norm_segmenter())
        method.learning_rate = 0.0
        if isinstance(method, Tent):
            method.statistics = "running"
        before = scores_of(method, frames)
        method.adapt(frames)
        assert same(scores_of(method, frames), before)

    @pytest.mark.usefixtures("unchecked")
    @pytest.mark.parametrize("value", [-1e-3, float("nan"), float("inf"), "1e-3", True])
    def test_learning_rate_out_of_range(self, make: Make, value: Any) -> None:
        method_type = type(make(toy_segmenter()))
        aux = (toy_segmenter(),) if method_type is AuxAdapt else ()
        with pytest.raises(InputError, match="learning_rate is"):
            method_type(toy_segmenter(), *aux, learning_rate=value)


def test_the_video_segmenter_is_a_method_and_unadapted_the_image_model() -> None:
    frames = toy_video(3)
    video_model, image_model = wrap(toy_segmenter()), ImageModel(toy_segmenter())
    assert isinstance(video_model, Method)
    assert image_model.adapt(frames) == []
    assert same([video_model(frame) for frame in frames], [image_model(frame) for frame in frames])


def test_the_image_model_shares_every_weight() -> None:
    segmenter = toy_segmenter()
    own = ImageModel(segmenter)._answer.segmenter
    for mine, theirs in zip(own.model.parameters(), segmenter.model.parameters(), strict=True):
        assert mine.data_ptr() == theirs.data_ptr()
        assert mine is not theirs
    assert not any(module.training for module in modules_of(own))
