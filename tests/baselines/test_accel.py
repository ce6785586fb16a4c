"""Accel: the fusion by hand, its training against a plain loop, and the three verbs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import (
    AdaptationError,
    AdaptConfig,
    InputError,
    Progress,
    PropagationError,
    SelfLabels,
    ShapeError,
    Training,
    wrap,
)
from ditta_adapt.baselines import Method
from ditta_adapt.baselines.accel import AccelFusion, AccelSegmenter, default_config
from ditta_adapt.baselines.refinement.true_labels import TrueLabels
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import NUM_CLASSES, StillPropagator, ToyNet, ToySegmenter, toy_segmenter, toy_video

SIZE = (12, 14)
FRAMES = toy_video(7, size=SIZE)


def told(targets: object, **training: object) -> AdaptConfig:
    """The default configuration of Accel with other targets, trained otherwise."""
    base = default_config()
    if targets is None:
        return replace(base, targets=None, training=Training())
    return replace(base, targets=targets, training=replace(base.training, **training))


FAST = told(SelfLabels(), learning_rate=1e-2)


def accel(
    segmenter: ToySegmenter | None = None,
    config: AdaptConfig = FAST,
    teacher: object | None = None,
    **arguments: object,
) -> AccelSegmenter:
    teacher = teacher or ShiftPropagator()
    return AccelSegmenter(
        segmenter or toy_segmenter(), propagator=teacher, config=config, **arguments
    )


def labels_of(model: Method, frames: list[np.ndarray]) -> list[Tensor]:
    return [model(frame) for frame in frames]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class TestFusion:
    @settings(max_examples=30)
    @given(st.integers(0, 2**32), st.integers(1, 5))
    def test_starts_as_the_identity_whatever_is_warped(self, seed: int, classes: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits, warped = 50 * torch.randn(2, 1, classes, 3, 4, generator=generator)
        valid = torch.rand(3, 4, generator=generator) > 0.3
        with torch.no_grad():
            assert torch.equal(AccelFusion(classes)(logits, warped[0], valid), logits)

    def test_by_hand(self) -> None:
        fusion = AccelFusion(2)
        with torch.no_grad():
            # Class 0 gains 3 x the warped class 1, class 1 loses its own class 0.
            fusion.weights.weight[0, 3] = 3
            fusion.weights.weight[1, 0] = -1
            logits = torch.tensor([[[[1.0, 2.0]], [[10.0, 20.0]]]])
            warped = torch.tensor([[[5.0, 99.0]], [[7.0, 99.0]]])
            fused = fusion(logits, warped, torch.tensor([[True, False]]))
        # At the second pixel the frame's own logits stand in: 2 + 3 * 20 and 20 - 2.
        assert fused.tolist() == [[[[22.0, 62.0]], [[9.0, 18.0]]]]

    def test_no_bias(self) -> None:
        assert [p.shape for p in AccelFusion(4).parameters()] == [(4, 8, 1, 1)]


def upsampled(logits: Tensor) -> Tensor:
    return F.interpolate(logits, SIZE, mode="bilinear", align_corners=False)


def test_adaptation_and_stream_by_hand() -> None:
    """A plain loop with the motion of `ShiftPropagator` written out, on random labels."""
    generator = torch.Generator().manual_seed(1)
    truth = list(torch.randint(0, NUM_CLASSES, (3, *SIZE), generator=generator))
    config = told("auto", passes=2, learning_rate=1e-2)
    model = accel(config=config, target_builder=TrueLabels(truth))
    losses = [step["total"] for step in model.adapt(FRAMES[:3]).losses]

    net = ToyNet().eval()
    weight = torch.zeros(NUM_CLASSES, 2 * NUM_CLASSES, requires_grad=True)
    optimizer = torch.optim.AdamW([*net.decoder.parameters(), weight], lr=1e-2)

    def plain(frame: np.ndarray) -> Tensor:
        image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            encoded = net.encoder(image)
        return upsampled(net.decoder(encoded))

    def fused(own: Tensor, before: Tensor) -> Tensor:
        moved = torch.cat([own[..., :1], before[..., :-1]], dim=3)
        both = torch.cat([own, moved], dim=1)
        return own + torch.einsum("cd,bdhw->bchw", weight, both)

    before = None
    for step in range(6):
        t = step % 3
        own = plain(FRAMES[t])
        output = own if t == 0 else fused(own, before)
        loss = F.cross_entropy(output, truth[t][None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        before = own.detach()
        assert losses[step] == pytest.approx(float(loss.detach()), rel=1e-4)
    assert weight.abs().max() > 1e-3
    with torch.no_grad():
        before = plain(FRAMES[2])
        for frame in FRAMES[3:]:
            own = plain(frame)
            agreement = model(frame) == fused(own, before)[0].argmax(0)
            assert agreement.float().mean() > 0.98  # But for near ties.
            assert not torch.equal(fused(own, before)[0].argmax(0), own[0].argmax(0))
            before = own


class TestThreeVerbs:
    def test_is_a_method(self) -> None:
        assert isinstance(accel(), Method)

    def test_is_the_image_model_before_and_after(self) -> None:
        expected = labels_of(wrap(toy_segmenter()), FRAMES)
        teacher = ShiftPropagator()
        model = accel(teacher=teacher)
        assert same(labels_of(model, FRAMES), expected)
        assert teacher.opened == []  # Nothing to fuse, so no flow either.
        model.reset()
        model.adapt(FRAMES[:4])
        assert not same(labels_of(model, FRAMES[4:]), expected[4:])
        model.reset()
        assert model.report is None
        assert same(labels_of(model, FRAMES), expected)

    def test_the_image_model_is_untouched(self) -> None:
        net = ToyNet().train()
        net.decoder[0].weight.requires_grad_(False)
        before = {name: value.clone() for name, value in net.state_dict().items()}
        config = told(SelfLabels(), module_mode="train")
        model = accel(ToySegmenter(net), config=config)
        model.adapt(FRAMES[:4])
        model(FRAMES[4])
        model.reset()
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
        assert all(module.training for module in net.modules())
        assert not net.decoder[0].weight.requires_grad
        assert net.decoder[4].weight.requires_grad
        assert all(parameter.grad is None for parameter in net.parameters())

    def test_repeats_bit_for_bit_in_any_gradient_mode(self) -> None:
        config = told(SelfLabels(), module_mode="train", learning_rate=1e-2)
        runs, losses = [], []
        for noise, mode in enumerate(
            (torch.enable_grad(), torch.no_grad(), torch.inference_mode())
        ):
            torch.manual_seed(noise)
            state = torch.get_rng_state()
            model = accel(config=config)
            with mode:
                losses.append(model.adapt(FRAMES[:4]).losses)
                runs.append([labels.clone() for labels in labels_of(model, FRAMES[4:])])
            assert torch.equal(torch.get_rng_state(), state)
        assert losses[0] == losses[1] == losses[2]
        assert same(runs[0], runs[1])
        assert same(runs[0], runs[2])

    def test_adapting_again_starts_from_the_pretrained_weights(self) -> None:
        model, fresh = accel(), accel()
        model.adapt(toy_video(5, size=SIZE, seed=3))
        assert model.adapt(FRAMES[:4]).losses == fresh.adapt(FRAMES[:4]).losses
        assert same(labels_of(model, FRAMES[4:]), labels_of(fresh, FRAMES[4:]))

    def test_stream_follows_the_warmup_until_a_cut(self) -> None:
        model = accel()
        model.adapt(FRAMES[:4])
        continued = model(FRAMES[4])
        model.clear_memory()
        cut = model(FRAMES[4])
        model.clear_memory()
        model(FRAMES[3])
        assert torch.equal(model(FRAMES[4]), continued)
        assert not torch.equal(cut, continued)

    def test_one_frame_leaves_nothing_to_fuse(self) -> None:
        teacher = ShiftPropagator()
        model = accel(teacher=teacher)
        assert model.adapt(FRAMES[:1]).adapted
        opened = len(teacher.opened)
        labels_of(model, FRAMES[1:4])
        assert len(teacher.opened) == opened

    def test_nothing_to_learn(self) -> None:
        model = accel(config=told(None))
        report = model.adapt(FRAMES[:4])
        assert not report.adapted
        assert report.reason == "not adapted: there are no targets"
        assert same(labels_of(model, FRAMES[4:]), labels_of(wrap(toy_segmenter()), FRAMES[4:]))

    def test_every_session_sees_two_frames_and_is_closed(self) -> None:
        teacher = ShiftPropagator()
        model = accel(teacher=teacher)
        model.adapt(FRAMES[:4])
        del teacher.opened[:]
        teacher.closed = 0
        labels_of(model, FRAMES[4:])
        assert [len(frames) for frames in teacher.opened] == [2, 2, 2]
        assert teacher.closed == 3
        assert torch.equal(teacher.opened[0][0], torch.from_numpy(FRAMES[3]))
        assert torch.equal(teacher.opened[0][1], torch.from_numpy(FRAMES[4]))

    def test_buffer_that_is_used_again(self) -> None:
        expected, model, buffer = accel(), accel(), torch.from_numpy(FRAMES[0]).clone()
        for each in (expected, model):
            each.adapt(FRAMES[:4])
        seen: list[Tensor] = []

        class Watching(ShiftPropagator):
            def open(self, frames: list[Tensor]) -> object:  # type: ignore[override]
                seen.append(frames[0].clone())
                return super().open(frames)

        model._propagator = Watching()
        for frame in FRAMES[4:]:
            buffer.copy_(torch.from_numpy(frame))
            assert torch.equal(model(buffer), expected(frame))
        assert same(seen, [torch.from_numpy(frame) for frame in FRAMES[3:6]])

    def test_optical_flow(self) -> None:
        model = AccelSegmenter(toy_segmenter())
        report = model.adapt(FRAMES[:4])
        assert "dense vote" in report.reason
        assert report.propagator == "OpticalFlowPropagator"
        assert model(FRAMES[4]).shape == SIZE
        assert model(FRAMES[4]).dtype == torch.int64

    def test_progress_and_report(self) -> None:
        steps: list[Progress] = []
        report = accel().adapt(FRAMES[:4], progress=steps.append)
        adapting = [step for step in steps if step.stage == "adapt"]
        assert [step.done for step in adapting] == list(range(1, 9))
        assert [step.loss for step in adapting] == [loss["total"] for loss in report.losses]
        assert set(report.seconds) == {"predict", "teach", "adapt"}
        assert report.num_frames == 4


class TestErrors:
    """After each, the method goes on as if it had not been asked."""

    def goes_on(self, model: AccelSegmenter) -> None:
        reference = accel()
        reference.adapt(FRAMES[:4])
        assert same(labels_of(model, FRAMES[4:]), labels_of(reference, FRAMES[4:]))

    def test_a_loss_that_is_not_finite(self) -> None:
        model = accel()
        model.adapt(FRAMES[:4])
        model.config = told(SelfLabels(), learning_rate=1e30, passes=5)
        with pytest.raises(AdaptationError, match=r"learning_rate \(now 1e\+30\)"):
            model.adapt(toy_video(4, size=SIZE, seed=5))
        self.goes_on(model)

    def test_teacher_that_cannot_warp(self) -> None:
        with pytest.raises(PropagationError, match="StillPropagator cannot warp"):
            accel(teacher=StillPropagator()).adapt(FRAMES[:4])

    def test_teacher_that_gets_lost_in_the_stream(self) -> None:
        class Lost(ShiftPropagator):
            def open(self, frames: object) -> object:  # type: ignore[override]
                raise RuntimeError("no light")

        model = accel()
        model.adapt(FRAMES[:4])
        whole, model._propagator = model._propagator, Lost()
        with pytest.raises(PropagationError, match=r"open.*no light"):
            model(FRAMES[5])
        model._propagator = whole
        self.goes_on(model)

    @pytest.mark.usefixtures("unchecked")
    def test_frames(self) -> None:
        model = accel()
        with pytest.raises(InputError, match="no frames"):
            model.adapt([])
        model.adapt(FRAMES[:4])
        with pytest.raises(ShapeError, match=r"\(8, 8\).*\(12, 14\).*clear_memory.*reset"):
            model(toy_video(1, size=(8, 8))[0])
        self.goes_on(model)

    @pytest.mark.usefixtures("unchecked")
    def test_arguments(self) -> None:
        with pytest.raises(InputError, match="target_builder is TrueLabels"):
            accel(target_builder=TrueLabels)
        with pytest.raises(InputError, match="no propagator is called 'glow'"):
            AccelSegmenter(toy_segmenter(), propagator="glow")
