"""Models in half precision, and callers in autocast: trained in float32, streamed as they are."""

import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, SegmenterOutput, Training, VideoSegmenter, wrap
from ditta_adapt.safety import streaming_precision
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import ToyNet, ToySegmenter, toy_video

FRAMES = toy_video(8, size=(24, 30))
# Small steps are lost in the last bits of a half-precision weight.
CONFIG = AdaptConfig(safety=None, training=Training(learning_rate=1e-5))
HALF = [torch.float16, torch.bfloat16]


class Typed(ToySegmenter):
    """Takes images in the precision of its weights, as models do."""

    def preprocess(self, frames: Tensor) -> Tensor:
        return super().preprocess(frames).to(self.model.decoder[0].weight.dtype)


def adapted(dtype: torch.dtype, config: AdaptConfig = CONFIG) -> VideoSegmenter:
    model = wrap(Typed(ToyNet().eval().to(dtype)), propagator=ShiftPropagator(-2), config=config)
    assert model.adapt(FRAMES[:4]).adapted
    return model


def agreement(model: VideoSegmenter, other: VideoSegmenter) -> float:
    pairs = [(model(frame), other(frame)) for frame in FRAMES[4:]]
    return float(torch.stack([(a == b).float().mean() for a, b in pairs]).mean())


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("config", [CONFIG, AdaptConfig()], ids=["raw", "default"])
def test_labels_are_those_of_float32_but_for_near_ties(
    dtype: torch.dtype, config: AdaptConfig
) -> None:
    assert agreement(adapted(dtype, config), adapted(torch.float32, config)) > 0.98


@pytest.mark.parametrize("dtype", HALF)
def test_the_losses_are_those_of_float32(dtype: torch.dtype) -> None:
    """Computed in half precision, they would be off by a hundredth, or not finite."""
    half, full = (
        [step["total"] for step in adapted(each).report.losses] for each in (dtype, torch.float32)
    )
    assert half == pytest.approx(full, rel=0.02)


def test_weights_of_a_bfloat16_model_really_move() -> None:
    """Many small steps: each of them alone is less than the last bit of most weights."""
    training = Training(learning_rate=1e-4, passes=20, adapted_share=1.0)
    model = adapted(torch.bfloat16, AdaptConfig(safety=None, training=training))
    start = ToyNet().to(torch.bfloat16).decoder[0].weight
    own = model._stream.student.segmenter.model.decoder[0].weight
    assert (own != start).float().mean() > 0.2


def test_the_users_model_stays_in_its_precision() -> None:
    net = ToyNet().eval().to(torch.bfloat16)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    wrap(Typed(net), propagator=ShiftPropagator(-2), config=CONFIG).adapt(FRAMES[:4])
    for name, tensor in net.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])


def test_a_decoder_that_loses_labels_streams_in_float32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(streaming_precision, "LEAST_AGREEMENT", 1.1)
    model = adapted(torch.bfloat16)
    assert "streams in float32" in model.report.reason
    decoder = model._stream.student.segmenter.model.decoder
    assert decoder[0].weight.dtype == torch.float32
    model.save_pretrained(tmp_path)
    loaded = wrap(model.segmenter, propagator=ShiftPropagator(-2)).load_pretrained(tmp_path)
    model.clear_memory()
    for frame in FRAMES[4:]:
        assert torch.equal(loaded(frame), model(frame))


def test_one_that_keeps_them_streams_as_it_is() -> None:
    model = adapted(torch.float16)
    assert "float32" not in model.report.reason
    assert model._stream.student.segmenter.model.decoder[0].weight.dtype == torch.float16


def test_training_inside_of_autocast_uses_the_weights_of_the_step() -> None:
    """Autocast keeps half-precision copies of weights, which training would not change."""
    outside = adapted(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = adapted(torch.float32)
        labels = [inside(frame) for frame in FRAMES[4:]]
    losses = [[step["total"] for step in model.report.losses] for model in (inside, outside)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert all(label.dtype == torch.int64 for label in labels)
    inside.clear_memory()
    outside.clear_memory()
    assert agreement(inside, outside) > 0.98


def test_every_pass_of_training_is_in_float32() -> None:
    seen: set[tuple[torch.dtype, bool]] = set()

    class Watching(Typed):
        def decode(self, encoded: Tensor) -> SegmenterOutput:
            output = super().decode(encoded)
            if output.logits.requires_grad:
                seen.add((output.logits.dtype, torch.is_autocast_enabled("cpu")))
            return output

    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", torch.bfloat16):
            segmenter = Watching(ToyNet().eval().to(dtype))
            wrap(segmenter, propagator=ShiftPropagator(-2), config=CONFIG).adapt(FRAMES[:4])
    assert seen == {(torch.float32, False)}
