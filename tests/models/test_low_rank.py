"""Updates of low rank: what they add, where they lie, and what of the model stays as it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ditta_adapt import SegmenterError, SegmenterOutput
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import adaptable_parameters, weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.with_low_rank import LowRankUpdate, WithLowRank
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAME = torch.from_numpy(toy_video(1, (32, 40))[0]).permute(2, 0, 1)


class Encoding:
    """A segmenter with an encoder of one's own, and a 1 x 1 convolution as decoder."""

    num_classes, feature_dim = 4, 8

    def __init__(self, encoder: nn.Module) -> None:
        self.encoder, self.head = encoder.eval(), nn.Conv2d(8, 4, 1).eval()

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 255

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(images)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return SegmenterOutput(features=encoded, logits=self.head(encoded))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"head": self.head}


class Attention(nn.Module):
    """Tokens of 4 x 4 pixels, one layer of attention, whose weights no layer's call reads alone."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images)
        flat = tokens.flatten(2).transpose(1, 2)
        return self.attend(flat, flat, flat)[0].transpose(1, 2).reshape(tokens.shape)


class Tied(nn.Module):
    """Two layers of one weight, and a third of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.second.weight = self.first.weight
        self.begin = nn.Conv2d(3, 8, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(self.begin(images)))


def move(segmenter: WithLowRank[Any]) -> None:
    """Give every update values."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in segmenter.more().parameters():
            each.copy_(torch.randn(each.shape, generator=generator))


@given(
    out=st.integers(1, 6),
    into=st.integers(1, 6),
    rank=st.integers(1, 3),
    window=st.sampled_from([(), (3,), (2, 3)]),
    seed=st.integers(0, 99),
)
def test_the_weight_is_the_sum(
    out: int, into: int, rank: int, window: tuple[int, ...], seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(size=(out, into, *window))
    update = LowRankUpdate(torch.from_numpy(weight), rank)
    assert torch.equal(update(torch.from_numpy(weight)), torch.from_numpy(weight))
    up, down = random.normal(size=(out, rank)), random.normal(size=update.down.shape)
    update.up.data, update.down.data = torch.from_numpy(up), torch.from_numpy(down)
    expected = weight + np.einsum("or,ri->oi", up, down).reshape(weight.shape)
    found = update(torch.from_numpy(weight)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(8, 6), nn.Conv2d(8, 6, 3, stride=2, padding=1), nn.Conv2d(8, 6, 1)],
    ids=["linear", "convolution", "one by one"],
)
def test_a_layer_gives_what_it_does_in_peft(layer: nn.Module) -> None:
    peft = pytest.importorskip("peft")
    options = peft.LoraConfig(r=2, lora_alpha=2, target_modules=["0"])
    theirs = peft.inject_adapter_in_model(options, nn.Sequential(layer)).eval()[0]
    update = LowRankUpdate(layer.weight, 2)
    with torch.no_grad():
        update.up.normal_()
        theirs.lora_A["default"].weight.copy_(update.down.view_as(theirs.lora_A["default"].weight))
        theirs.lora_B["default"].weight.copy_(update.up.view_as(theirs.lora_B["default"].weight))
        shown = torch.randn(2, 8) if isinstance(layer, nn.Linear) else torch.randn(2, 8, 12, 9)
        ours = torch.func.functional_call(layer, {"weight": update(layer.weight)}, (shown,))
        assert torch.allclose(ours, theirs(shown), atol=1e-5)


def test_the_encoders_layers_learn_and_the_model_stays() -> None:
    segmenter = toy_segmenter()
    before, conv = weight_hash(segmenter), segmenter.model.encoder[0]
    own = WithLowRank(segmenter, 2)
    decoder = [p.shape for p in segmenter.model.decoder.parameters()]
    updates = [(2, 27), (8, 2)]
    assert [tuple(p.shape) for p in adaptable_parameters(own)] == [*decoder, *updates]
    assert torch.equal(frame_logits(own, FRAME), frame_logits(segmenter, FRAME))
    copied = private_copy(own)
    move(copied)
    assert not torch.equal(frame_logits(copied, FRAME), frame_logits(own, FRAME))
    # A copy learns for itself, and what it does not learn is shared with the model.
    assert torch.equal(frame_logits(own, FRAME), frame_logits(segmenter, FRAME))
    original = copied.segmenter.model.encoder[0].parametrizations.weight.original
    assert original.data_ptr() == conv.weight.data_ptr()
    assert weight_hash(segmenter) == before
    assert not parametrize.is_parametrized(conv)


def test_the_same_updates_every_time_and_nothing_random_of_the_caller() -> None:
    state = torch.get_rng_state()
    one, other = (WithLowRank(toy_segmenter(), 2).more() for _ in range(2))
    assert torch.equal(one[0].down, other[0].down)
    assert one[0].down.std() > 0
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("encoder", [ToyNet().encoder, Attention(), Tied()])
def test_merged_it_is_a_model_as_before(encoder: nn.Module) -> None:
    segmenter = Encoding(encoder)
    before = weight_hash(segmenter)
    own = WithLowRank(segmenter, 2)
    move(own)
    plain = own.plain()
    found, expected = frame_logits(plain, FRAME), frame_logits(own, FRAME)
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
    assert not torch.allclose(found, frame_logits(segmenter, FRAME), atol=1e-2)
    layers = zip(encoder.modules(), plain.encoder.modules(), strict=True)
    assert all(type(theirs) is type(mine) for theirs, mine in layers)
    names = [name for name, _ in encoder.named_parameters()]
    assert [name for name, _ in plain.encoder.named_parameters()] == names
    assert weight_hash(segmenter) == before
    # The one with updates goes on.
    assert torch.equal(frame_logits(own, FRAME), expected)


def test_weights_that_are_read_without_their_layer_learn_too() -> None:
    own = WithLowRank(Encoding(Attention()), 2)
    # Of the embedding, the projections into attention, and the one out of it.
    shapes = sorted(tuple(update.up.shape) for update in own.more())
    assert shapes == [(8, 2), (8, 2), (24, 2)]
    move(own)
    logits = own.decode(own.encode(own.preprocess(FRAME[None]))).logits
    gradients = torch.autograd.grad(logits.sum(), list(own.more().parameters()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_weight_of_two_layers_stays_one() -> None:
    own = WithLowRank(Encoding(Tied()), 2)
    assert [tuple(update.up.shape) for update in own.more()] == [(8, 2)]
    plain = own.plain()
    assert plain.encoder.second.weight is plain.encoder.first.weight


def test_a_layer_of_another_parametrisation_is_left() -> None:
    encoder = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3, 2, 1)))
    with pytest.raises(SegmenterError, match="no linear or convolutional layer"):
        WithLowRank(Encoding(encoder), 2)
    own = WithLowRank(Encoding(nn.Sequential(*encoder, nn.Conv2d(8, 8, 3, 1, 1))), 2)
    move(own)
    plain = own.plain()
    assert parametrize.is_parametrized(plain.encoder[0])
    assert not parametrize.is_parametrized(plain.encoder[1])


def test_merged_weights_are_sums_in_order() -> None:
    """Bit by bit what numpy makes of it, which no library for matrices has a hand in."""
    update = LowRankUpdate(torch.zeros(5, 3, 2, 2), 3)
    generator = torch.Generator().manual_seed(0)
    for each in update.parameters():
        each.data = torch.randn(each.shape, generator=generator)
    weight = torch.randn(5, 3, 2, 2, generator=generator)
    expected = weight.numpy().reshape(5, 12)
    up, down = update.up.detach().numpy(), update.down.detach().numpy()
    for k in range(3):
        expected = expected + up[:, k : k + 1] * down[k]
    assert np.array_equal(update.merged(weight).numpy(), expected.reshape(5, 3, 2, 2))


def test_whatever_precision_is_usual() -> None:
    before = WithLowRank(toy_segmenter(), 2).more()
    torch.set_default_dtype(torch.float64)
    try:
        after = WithLowRank(toy_segmenter(), 2).more()
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(before[0].down, after[0].down)


def test_an_update_larger_than_every_weight_is_refused() -> None:
    # 8 x 27 values, for which 6 x (8 + 27) are fewer, and 7 times that are not.
    assert len(WithLowRank(toy_segmenter(), 6).more()) == 1
    with pytest.raises(SegmenterError, match="rank 7 would be smaller than, and"):
        WithLowRank(toy_segmenter(), 7)


def test_in_the_precision_of_the_model() -> None:
    class Half(ToySegmenter):
        def preprocess(self, frames: Tensor) -> Tensor:
            return super().preprocess(frames).bfloat16()

    segmenter = Half(ToyNet().bfloat16().eval())
    own = WithLowRank(segmenter, 2)
    assert {each.dtype for each in own.more().parameters()} == {torch.bfloat16}
    move(own)
    assert own.plain().model.encoder[0].weight.dtype == torch.bfloat16
