"""Decoders with buffers, layers and gradients that a weight-by-weight treatment would break."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ditta_adapt import (
    AdaptationError,
    AdaptConfig,
    CrossEntropy,
    SegmenterOutput,
    SelfLabels,
    Training,
    VideoSegmenter,
    wrap,
)
from ditta_adapt.baselines.accel import AccelSegmenter
from tests.toys import FEATURES, ToyNet, ToySegmenter, toy_video

FRAMES = toy_video(6)
LEARNS = AdaptConfig(targets=SelfLabels(), memory=None, safety=None)
IN_TRAIN_MODE = AdaptConfig(
    targets=SelfLabels(), memory=None, safety=None, training=Training(module_mode="train")
)
HALF = AdaptConfig(
    targets=SelfLabels(), memory=None, safety=None, training=Training(adapted_share=0.5)
)


class Decoder(nn.Module):
    """The toy decoder, with something before its classifier."""

    def __init__(self) -> None:
        super().__init__()
        *layers, classifier = ToyNet().decoder
        self.layers, self.classifier = nn.Sequential(*layers), classifier

    def features(self, encoded: Tensor) -> Tensor:
        maps: Tensor = self.layers(encoded)
        return maps

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(encoded)
        return features, self.classifier(features)


class Masked(Decoder):
    """A mask of attention: 0 and minus infinity."""

    def __init__(self) -> None:
        super().__init__()
        mask = torch.zeros(FEATURES)
        mask[-1] = -torch.inf
        self.register_buffer("mask", mask)

    def features(self, encoded: Tensor) -> Tensor:
        kept = (self.mask == 0).view(1, -1, 1, 1)
        return torch.where(kept, super().features(encoded), 0.0)


class MaskedByAWeight(Masked):
    def __init__(self) -> None:
        super().__init__()
        mask = self.mask
        del self.mask
        self.mask = nn.Parameter(mask, requires_grad=False)


class Gridded(Decoder):
    """A table that is made anew for every size of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grid", torch.zeros(0), persistent=False)

    def features(self, encoded: Tensor) -> Tensor:
        if self.grid.shape != encoded.shape[2:]:
            self.grid = torch.linspace(0, 0.1, encoded[0, 0].numel()).view(encoded.shape[2:])
        return super().features(encoded) + self.grid


class Expanded(Decoder):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.full((1,), 1.5).expand(FEATURES))

    def features(self, encoded: Tensor) -> Tensor:
        return super().features(encoded) * self.scale.view(1, -1, 1, 1)


class Counting(Decoder):
    """Writes to a buffer of its own while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def features(self, encoded: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return super().features(encoded) + 0.01 * self.calls


class Renewing(Decoder):
    """Makes its table anew in every step of training, expanded from one value."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(FEATURES))

    def features(self, encoded: Tensor) -> Tensor:
        if self.training:
            self.table = torch.ones(1).expand(FEATURES)
        return super().features(encoded) + self.table.view(1, -1, 1, 1)


class Pooled(Decoder):
    """A branch pooled to 1 x 1 and normalised, as in PSPNet and ASPP."""

    def __init__(self) -> None:
        super().__init__()
        self.pooled = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(FEATURES, FEATURES, 1), nn.BatchNorm2d(FEATURES)
        )

    def features(self, encoded: Tensor) -> Tensor:
        maps = super().features(encoded)
        return maps + self.pooled(maps)


class Detached(Decoder):
    """Only the classifier can learn."""

    def features(self, encoded: Tensor) -> Tensor:
        return super().features(encoded).detach()


class WithoutGradients(Decoder):
    @torch.no_grad()
    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(encoded)


class InInference(Decoder):
    @torch.inference_mode()
    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(encoded)


class DetachedAnswer(Decoder):
    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = super().forward(encoded)
        return features.detach(), logits.detach()


class Segmenter(ToySegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        features, logits = self.model.decoder(encoded)
        return SegmenterOutput(features, logits)


def segmenter_with(decoder: type[Decoder]) -> Segmenter:
    net = ToyNet()
    torch.manual_seed(1)
    net.decoder = decoder()
    net.eval()
    return Segmenter(net)


def adapted(decoder: type[Decoder], config: AdaptConfig) -> VideoSegmenter:
    model = wrap(segmenter_with(decoder), config=config)
    report = model.adapt(FRAMES[:4])
    assert report.adapted
    return model


BUFFERED = [Masked, MaskedByAWeight, Gridded, Expanded, Counting, Renewing, Pooled]


@pytest.mark.parametrize("config", [LEARNS, IN_TRAIN_MODE, HALF], ids=["all", "train", "half"])
@pytest.mark.parametrize("decoder", BUFFERED)
class TestBuffers:
    def test_streams_and_is_the_same_after_loading(
        self, decoder: type[Decoder], config: AdaptConfig, tmp_path: Path
    ) -> None:
        model = adapted(decoder, config)
        plain = wrap(segmenter_with(decoder))
        found = model.predict(FRAMES[4]).probabilities
        assert not torch.equal(found, plain.predict(FRAMES[4]).probabilities)
        model.save_pretrained(tmp_path)
        loaded = wrap(segmenter_with(decoder)).load_pretrained(tmp_path)
        assert torch.equal(loaded.predict(FRAMES[4]).probabilities, found)
        # Also at another size, and before any frame of the old one.
        other = toy_video(2, size=(24, 46))
        loaded = wrap(segmenter_with(decoder)).load_pretrained(tmp_path)
        model.clear_memory()
        expected = model.predict(other[0]).probabilities
        assert torch.equal(loaded.predict(other[0]).probabilities, expected)


@pytest.mark.parametrize("decoder", BUFFERED)
def test_the_model_is_as_it_was(decoder: type[Decoder]) -> None:
    segmenter = segmenter_with(decoder)
    before = copy.deepcopy(segmenter.model.state_dict())
    wrap(segmenter, config=IN_TRAIN_MODE).adapt(FRAMES[:4])
    after = segmenter.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_half_is_half_of_the_way() -> None:
    """Weights and running statistics, each half-way between those of the two ends."""

    def weights(share: float) -> dict[str, Tensor]:
        training = Training(module_mode="train", adapted_share=share)
        config = AdaptConfig(targets=SelfLabels(), memory=None, safety=None, training=training)
        model = adapted(Pooled, config)
        state: dict[str, Tensor] = model._stream.student.segmenter.model.decoder.state_dict()
        return state

    start = segmenter_with(Pooled).model.decoder.state_dict()
    half, end = weights(0.5), weights(1.0)
    moved = 0
    for name, tensor in half.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (start[name] + end[name]) / 2)
            moved += not torch.equal(start[name], end[name])
    assert moved > 4


def test_what_is_written_to_a_file(tmp_path: Path) -> None:
    adapted(Gridded, LEARNS).save_pretrained(tmp_path)
    assert not any("grid" in name for name in load_file(tmp_path / "model.safetensors"))


def test_a_batch_norm_that_sees_one_value_stays_in_eval_mode() -> None:
    model = wrap(segmenter_with(Pooled), config=IN_TRAIN_MODE)
    report = model.adapt(FRAMES[:4])
    assert "decoder.pooled.2 stay in eval mode, as they see one value a channel" in report.reason
    start = segmenter_with(Pooled).model.decoder
    own = model._stream.student.segmenter.model.decoder
    assert torch.equal(own.pooled[2].running_mean, start.pooled[2].running_mean)
    assert not torch.equal(own.layers[1].running_mean, start.layers[1].running_mean)


class PooledByName(Pooled):
    """Another norm, whose input is given by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(FEATURES, affine=True, track_running_stats=True)

    def features(self, encoded: Tensor) -> Tensor:
        maps = super().features(encoded)
        return maps + self.norm(input=maps.mean(dim=(2, 3), keepdim=True))


def test_other_norms_and_calls_by_name() -> None:
    report = wrap(segmenter_with(PooledByName), config=IN_TRAIN_MODE).adapt(FRAMES[:4])
    assert "decoder.norm, decoder.pooled.2 stay in eval mode" in report.reason


def test_accel_takes_the_same_care() -> None:
    training = Training(module_mode="train", adapted_share=1.0, distillation=CrossEntropy())
    config = AdaptConfig(training=training, memory=None, safety=None, look=None)
    for decoder in (Pooled, Counting, Renewing):
        method = AccelSegmenter(segmenter_with(decoder), propagator="flow", config=config)
        method.adapt(FRAMES[:3])
        assert method(FRAMES[3]).shape == FRAMES[3].shape[:2]
        buffers = dict(method._student.segmenter.model.decoder.named_buffers())
        assert not buffers.get("calls", torch.zeros(1)).any()
        assert not buffers.get("table", torch.zeros(1)).any()


def test_paper_adapts_a_model_with_pooling() -> None:
    paper = AdaptConfig.paper()
    config = replace(paper, targets=SelfLabels(), training=replace(paper.training, contrast=None))
    model = wrap(segmenter_with(Pooled), config=config)
    assert model.adapt(FRAMES[:4]).adapted
    assert model(FRAMES[4]).shape == FRAMES[4].shape[:2]


@pytest.mark.parametrize("decoder", [WithoutGradients, InInference, DetachedAnswer])
def test_a_decoder_that_no_gradient_reaches(decoder: type[Decoder]) -> None:
    model = wrap(segmenter_with(decoder), config=LEARNS)
    before = model.predict(FRAMES[4]).probabilities
    model.clear_memory()
    with pytest.raises(AdaptationError, match=rf"in decoder \({decoder.__name__}\).*no_grad"):
        model.adapt(FRAMES[:4])
    assert model.report is None
    assert torch.equal(model.predict(FRAMES[4]).probabilities, before)


def test_weights_that_no_gradient_reaches_are_named() -> None:
    report = wrap(segmenter_with(Detached), config=LEARNS).adapt(FRAMES[:4])
    assert report.adapted
    assert "no gradient reaches" in report.reason
    assert "decoder.layers.0.weight" in report.reason
    whole = wrap(segmenter_with(Decoder), config=LEARNS).adapt(FRAMES[:4])
    assert "no gradient" not in whole.reason


def test_weights_that_become_infinite_are_not_kept() -> None:
    """The last step may do what no later loss tells."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, weight: Tensor) -> Tensor:
            return weight.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            return torch.full_like(gradient, torch.inf)

    class Exploding(Decoder):
        def features(self, encoded: Tensor) -> Tensor:
            return super().features(Spike.apply(encoded + 0 * self.classifier.bias.sum()))

    config = AdaptConfig(
        targets=SelfLabels(), memory=None, safety=None, training=Training(passes=1)
    )
    model = wrap(segmenter_with(Exploding), config=config)
    with pytest.raises(AdaptationError, match="not finite"):
        model.adapt(FRAMES[:1])
    assert model.report is None
