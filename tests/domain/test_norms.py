"""The encoder's norms, learned along with the decoder: what changes, what is kept, what is read."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ditta_adapt import (
    AdaptationError,
    CheckpointError,
    DomainConfig,
    SegmenterError,
    SegmenterOutput,
    wrap,
)
from ditta_adapt.domain import adapt_to_domain
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import adaptable_parameters, weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.with_norms import WithNorms
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

CONFIG = DomainConfig(rounds=2, judged_frames=3, encoder="norms", learning_rate=1e-2)
VIDEOS = [toy_video(8, (32, 40), seed) for seed in range(3)]
FRAME = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.24, 0.26]])


def test_scale_and_shift_of_the_encoders_norms_are_adapted_and_nothing_else_of_it() -> None:
    segmenter = toy_segmenter()
    own, decoder = WithNorms(segmenter), list(segmenter.model.decoder.parameters())
    batch_norm = segmenter.model.encoder[1]
    expected = [*decoder, *batch_norm.parameters()]
    assert [id(p) for p in adaptable_parameters(own)] == [id(p) for p in expected]
    assert torch.equal(frame_logits(own, FRAME), frame_logits(segmenter, FRAME))
    copied = private_copy(own)
    for mine, other in zip(adaptable_parameters(copied), expected, strict=True):
        assert mine.data_ptr() != other.data_ptr()
    # All else of the encoder is shared.
    assert copied.segmenter.model.encoder[0].weight.data_ptr() == (
        segmenter.model.encoder[0].weight.data_ptr()
    )


class Held(nn.Module):
    """A segmenter that is a module, and holds its encoder where torch does not see it."""

    num_classes, feature_dim = 4, 6

    def __init__(self) -> None:
        super().__init__()
        net = ToyNet()
        self.parts = [net.encoder]
        self.norms = net.decoder

    def preprocess(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.float()

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return self.parts[0](images)

    def decode(self, encoded: torch.Tensor) -> SegmenterOutput:
        features = self.norms[:3](encoded)
        return SegmenterOutput(features=features, logits=self.norms[3:](features))

    def adaptable_modules(self) -> dict[str, nn.Module]:
        return {"norms": self.norms}


def test_all_modules_are_the_copys_own_and_no_name_is_taken() -> None:
    segmenter = Held().train()
    copied = private_copy(WithNorms(segmenter))
    # Its norms are seen anyway, all else of it only through the segmenter.
    assert not any(layer.training for layer in copied.segmenter.parts[0])
    assert all(layer.training for layer in segmenter.parts[0])
    assert len(adaptable_parameters(copied)) == len(list(segmenter.norms.parameters())) + 2


def test_a_model_without_them_is_refused() -> None:
    net = ToyNet()
    net.encoder[1] = nn.BatchNorm2d(8, affine=False)
    with pytest.raises(SegmenterError, match="no normalisation layer with a scale"):
        adapt_to_domain(ToySegmenter(net.eval()), VIDEOS, config=CONFIG)


def test_they_move_are_saved_and_are_read_again(approved: None, tmp_path: Path) -> None:
    segmenter = toy_segmenter()
    before = weight_hash(segmenter)
    result = adapt_to_domain(segmenter, VIDEOS, config=CONFIG)
    assert weight_hash(segmenter) == before
    own, adapted = segmenter.model.encoder, result.segmenter.model.encoder  # type: ignore[attr-defined]
    assert not torch.equal(adapted[1].weight, own[1].weight)
    assert torch.equal(adapted[0].weight, own[0].weight)
    assert isinstance(result.segmenter, ToySegmenter)
    result.save_pretrained(tmp_path)
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert torch.equal(frame_logits(loaded.segmenter, FRAME), frame_logits(result.segmenter, FRAME))
    # To a video, only the decoder is adapted from there.
    loaded.adapt(VIDEOS[0][:4])
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)
    # What it was made of is checked.
    with pytest.raises(CheckpointError, match="other weights"):
        wrap(result.segmenter).load_pretrained(tmp_path)


def test_the_encoder_learns_where_its_output_depends_on_it(approved: None) -> None:
    one = adapt_to_domain(toy_segmenter(), VIDEOS, config=CONFIG)
    again = adapt_to_domain(toy_segmenter(), VIDEOS, config=CONFIG)
    frozen = adapt_to_domain(
        toy_segmenter(), VIDEOS, config=DomainConfig(rounds=2, judged_frames=3, learning_rate=1e-2)
    )
    assert one.report.rounds == again.report.rounds
    # The first step is the same, and no other.
    assert one.report.rounds[0].loss != frozen.report.rounds[0].loss


class NoGradients(ToySegmenter):
    """An encoder that no gradient gets through."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return super().encode(images)


def test_an_encoder_without_gradients_is_refused() -> None:
    with pytest.raises(AdaptationError, match="encode"):
        adapt_to_domain(NoGradients(ToyNet().eval()), VIDEOS, config=CONFIG)
