"""TENT: the losses by hand, what is trained, with which statistics, for how long."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ditta_adapt import AdaptationError, HookedSegmenter, InputError, SegmenterError
from ditta_adapt.baselines import ImageModel, Tent
from ditta_adapt.baselines.scope import norm_parameters, norms_in
from ditta_adapt.baselines.tent import entropy_loss, hard_label_loss
from tests.baselines.nets import ConstantSegmenter, NormNet, NormSegmenter, norm_segmenter
from tests.baselines.test_methods import same, scores_of
from tests.toys import ToyNet, ToySegmenter, toy_video


def cell(*logits: float) -> Tensor:
    return torch.tensor(logits).view(1, -1, 1, 1).requires_grad_()


class TestLosses:
    def test_entropy_by_hand(self) -> None:
        logits = cell(math.log(3), 0.0)
        loss = entropy_loss(logits)
        loss.backward()
        assert loss.item() == pytest.approx(0.562335, abs=1e-6)
        assert logits.grad is not None
        assert logits.grad.flatten().tolist() == pytest.approx([-0.20599, 0.20599], abs=1e-5)

    def test_uniform_logits_are_stationary(self) -> None:
        logits = cell(0.0, 0.0)
        loss = entropy_loss(logits)
        loss.backward()
        assert loss.item() == pytest.approx(math.log(2))
        assert logits.grad is not None
        assert logits.grad.abs().max() < 1e-7

    def test_hard_label_by_hand(self) -> None:
        assert hard_label_loss(cell(0.0, 3.0)).item() == pytest.approx(0.04859, abs=1e-5)

    @given(st.integers(0, 10**6), st.floats(0.01, 30))
    def test_against_float64(self, seed: int, spread: float) -> None:
        z = np.random.default_rng(seed).normal(0, spread, (2, 5, 3, 4))
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        safe = np.maximum(p, 1e-300)
        logits = torch.tensor(z, dtype=torch.float32)
        entropy, hard = entropy_loss(logits).item(), hard_label_loss(logits).item()
        assert entropy == pytest.approx(-(p * np.log(safe)).sum(1).mean(), abs=1e-4)
        assert hard == pytest.approx(-np.log(p.max(1)).mean(), abs=1e-4)

    def test_finite_at_extremes(self) -> None:
        logits = cell(1e4, -1e4, 0.0)
        loss = entropy_loss(logits)
        loss.backward()
        assert loss.item() == 0
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def adapted(method: Tent, frames: list[np.ndarray]) -> dict[str, Tensor]:
    method.adapt(frames)
    return method._answer.segmenter.model.state_dict()


class TestWhatIsTrained:
    @pytest.mark.parametrize("scope", ["all", "decoder"])
    @pytest.mark.parametrize("statistics", ["batch", "running"])
    def test_scale_and_shift_and_nothing_else(self, scope: Any, statistics: Any) -> None:
        segmenter = norm_segmenter()
        method = Tent(segmenter, scope=scope, statistics=statistics, dropout=True)
        later = adapted(method, toy_video(3))
        norms = ["decoder.1", "decoder.2", "decoder.3"]
        norms += ["encoder.1", "encoder.3"] if scope == "all" else []
        expected = {f"{norm}.{kind}" for norm in norms for kind in ("weight", "bias")}
        start = segmenter.model.state_dict()
        moved = {name for name, value in later.items() if not torch.equal(value, start[name])}
        # Nothing can come of a shift that the next norm takes out again.
        assert expected - moved <= {"decoder.1.bias", "decoder.2.bias"}
        assert moved <= expected
        assert len(moved) >= len(expected) - 2

    def test_the_first_step_is_adams(self) -> None:
        """Adam's first step is `lr * g / (|g| + 1e-8)`, computed here on a copy of the net."""
        segmenter, frame = norm_segmenter(), toy_video(1)[0]
        later = adapted(Tent(segmenter, statistics="running", learning_rate=1e-3), [frame])
        twin = NormSegmenter(copy.deepcopy(segmenter.model))
        images = twin.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        log_p = F.log_softmax(twin.decode(twin.encode(images)).logits, 1)
        (-(log_p.exp() * log_p).sum(1)).mean().backward()
        for name in ("encoder.1.weight", "encoder.3.bias", "decoder.3.weight", "decoder.3.bias"):
            parameter = twin.model.get_parameter(name)
            gradient = parameter.grad
            assert gradient is not None
            expected = parameter - 1e-3 * gradient / (gradient.abs() + 1e-8)
            torch.testing.assert_close(later[name], expected, atol=2e-6, rtol=0)

    def test_every_kind_of_norm_is_found(self) -> None:
        class Net(NormNet):
            def __init__(self) -> None:
                super().__init__()
                self.encoder[1] = nn.SyncBatchNorm(8)

        segmenter = NormSegmenter(Net().eval())
        kinds = {type(layer).__name__ for layer in norms_in(segmenter, "all")}
        assert kinds == {
            "SyncBatchNorm",
            "ChannelNorm",
            "BatchNorm2d",
            "GroupNorm",
            "InstanceNorm2d",
        }
        Tent(segmenter).adapt(toy_video(2))

    def test_norms_without_parameters_count_as_none(self) -> None:
        class Net(ToyNet):
            def __init__(self) -> None:
                super().__init__()
                self.decoder[1] = nn.BatchNorm2d(6, affine=False)

        segmenter = ToySegmenter(Net().eval())
        with pytest.raises(SegmenterError, match=r"decoder of ToySegmenter has no norm.*'all'"):
            Tent(segmenter, scope="decoder")
        assert len(norm_parameters(segmenter, "all")) == 2
        with pytest.raises(SegmenterError, match="model of ConstantSegmenter has no norm"):
            Tent(ConstantSegmenter([0.0, 1.0]))

    def test_parameters_named_by_pattern(self) -> None:
        net = ToyNet().eval()
        segmenter = HookedSegmenter(net, adapt="decoder.*", features="input:decoder.3")
        found = {id(parameter) for parameter in norm_parameters(segmenter, "decoder")}
        assert found == {id(net.decoder[1].weight), id(net.decoder[1].bias)}
        method = Tent(segmenter, scope="decoder")
        before = scores_of(method, toy_video(2))
        method.adapt(toy_video(2))
        assert not same(scores_of(method, toy_video(2)), before)


class TestStatistics:
    def frozen(self, statistics: Any, scope: Any = "all") -> tuple[list[Tensor], list[Tensor]]:
        """Answers after steps of size zero, and of the untouched image model."""
        frames = toy_video(3)
        method = Tent(norm_segmenter(), statistics=statistics, scope=scope, learning_rate=0.0)
        method.adapt(frames)
        return scores_of(method, frames), scores_of(ImageModel(norm_segmenter()), frames)

    def test_running_ones_are_the_image_models(self) -> None:
        assert same(*self.frozen("running"))

    @pytest.mark.parametrize("scope", ["all", "decoder"])
    def test_batch_ones_are_the_frames_own(self, scope: Any) -> None:
        answers, image_model = self.frozen("batch", scope)
        assert not same(answers, image_model)
        net = NormNet().eval()
        for part in (net.encoder, net.decoder) if scope == "all" else (net.decoder,):
            for layer in part:
                if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
                    layer.train()
        for frame, answer in zip(toy_video(3), answers, strict=True):
            twin = NormSegmenter(net)
            with torch.no_grad():
                images = twin.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
                logits = twin.decode(twin.encode(images)).logits
            expected = F.interpolate(logits, answer.shape[2:], mode="bilinear")
            torch.testing.assert_close(answer, expected)

    def test_a_single_cell(self) -> None:
        frames = [np.zeros((2, 2, 3), np.uint8)]
        for method in (Tent(norm_segmenter()), Tent(norm_segmenter(), episodic=True)):
            verb = (lambda m: m(frames[0])) if method.episodic else (lambda m: m.adapt(frames))
            with pytest.raises(AdaptationError, match=r"single cell.*statistics='running'"):
                verb(method)
        Tent(norm_segmenter(), statistics="running").adapt(frames)


def test_entropy_decreases_on_a_fixed_frame() -> None:
    frame = toy_video(1)[0]
    losses = Tent(norm_segmenter(), learning_rate=1e-3, steps=6).adapt([frame])
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 6


def test_dropout_is_drawn_from_the_seed() -> None:
    def losses(**options: Any) -> list[float]:
        return Tent(norm_segmenter(), **options).adapt(toy_video(2))

    assert losses(dropout=True, seed=1) == losses(dropout=True, seed=1)
    assert losses(dropout=True, seed=1) != losses(dropout=True, seed=2)
    assert losses(seed=1) == losses(seed=2)


class TestEpisodes:
    def test_continual_goes_on_from_frame_to_frame(self) -> None:
        frame = toy_video(1)[0]
        once, twice = Tent(norm_segmenter()), Tent(norm_segmenter())
        once.adapt([frame])
        twice.adapt([frame, frame])
        assert not same(scores_of(once, [frame]), scores_of(twice, [frame]))

    def test_episodes_start_over(self) -> None:
        frames = toy_video(3)
        method = Tent(norm_segmenter(), episodic=True, steps=3)
        assert method.adapt(frames) == []
        first = scores_of(method, frames)
        assert same(scores_of(method, frames[::-1])[::-1], first)

    def test_the_answer_comes_before_the_last_update(self) -> None:
        frame = toy_video(1)[0]
        episodes = Tent(norm_segmenter(), episodic=True, steps=3)
        two_steps = Tent(norm_segmenter(), steps=2)
        two_steps.adapt([frame])
        assert same(scores_of(episodes, [frame]), scores_of(two_steps, [frame]))

    def test_one_step_is_the_image_model(self) -> None:
        frames = toy_video(2)
        method = Tent(norm_segmenter(), episodic=True, statistics="running", learning_rate=0.1)
        assert same(scores_of(method, frames), scores_of(ImageModel(norm_segmenter()), frames))


class NoGrad(NormSegmenter):
    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        return super().encode(images)


class Inference(NormSegmenter):
    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        return super().encode(images)


class Detached(NormSegmenter):
    def decode(self, encoded: Tensor) -> Any:
        with torch.no_grad():
            return super().decode(encoded)


class TestGradientsThatDoNotArrive:
    @pytest.mark.parametrize("kind", [NoGrad, Inference])
    def test_at_the_encoder(self, kind: type[NormSegmenter]) -> None:
        with pytest.raises(AdaptationError, match=f"encode of {kind.__name__} runs without grad"):
            Tent(kind(NormNet().eval())).adapt(toy_video(1))

    def test_at_the_encoder_where_none_is_needed(self) -> None:
        assert len(Tent(NoGrad(NormNet().eval()), scope="decoder").adapt(toy_video(1))) == 1

    def test_anywhere(self) -> None:
        with pytest.raises(AdaptationError, match="6 trained parameters of Detached"):
            Tent(Detached(NormNet().eval()), scope="decoder").adapt(toy_video(1))


def test_presets() -> None:
    original, segmentation = (
        Tent.original(norm_segmenter()),
        Tent.for_segmentation(norm_segmenter()),
    )
    assert (original.loss, original.statistics, original.dropout) == ("entropy", "batch", True)
    assert (segmentation.loss, segmentation.statistics) == ("hard_label", "running")
    assert not segmentation.dropout
    assert (original.learning_rate, segmentation.learning_rate) == (1e-3, 7.5e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "options", [{"loss": "mean"}, {"scope": "head"}, {"statistics": "old"}, {"steps": 0}]
)
def test_arguments_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} is"):
        Tent(norm_segmenter(), **options)
