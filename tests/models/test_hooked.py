"""Any torch model as a segmenter."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    HookedSegmenter,
    InputError,
    SegmenterError,
    Training,
    wrap,
)
from tests.toys import FEATURES, NUM_CLASSES, ToyNet, toy_video


class Wrapped(nn.Module):
    """A model whose decoder takes a list and a keyword, and returns a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ToyNet()
        self.head = Head(self.net.decoder)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.head([self.net.encoder(images)], scale=2.0)


class Head(nn.Module):
    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, maps: list[Tensor], *, scale: float) -> dict[str, Tensor]:
        return {"aux": maps[0], "out": scale * self.layers(maps[0])}


def images_of(num_frames: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in toy_video(num_frames)])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (ToyNet(), {"decoder": "decoder", "features": "decoder.2"}),
        (ToyNet(), {"decoder": "decoder", "features": "input:decoder.4"}),
        (ToyNet(), {"adapt": "decoder.*", "features": "decoder.2"}),
        (ToyNet(), {"adapt": ["decoder.0.*", "decoder.4.*"], "features": "input:decoder.4"}),
        (Wrapped(), {"decoder": "head", "features": "head.layers.2"}),
    ],
    ids=["decoder", "input", "patterns", "two patterns", "dict output"],
)
class TestForms:
    def test_equals_the_model(self, model: nn.Module, options: dict[str, Any]) -> None:
        model.eval()
        segmenter = HookedSegmenter(model, **options)
        images = segmenter.preprocess(images_of())
        with torch.no_grad():
            output = segmenter.decode(segmenter.encode(images))
            expected = model(images)
        assert torch.equal(
            output.logits, expected["out"] if isinstance(expected, dict) else expected
        )
        assert output.features.shape[1] == segmenter.feature_dim == FEATURES
        assert segmenter.num_classes == NUM_CLASSES

    def test_adapts_and_streams(self, model: nn.Module, options: dict[str, Any]) -> None:
        frames = toy_video(5)
        video_model = wrap(HookedSegmenter(model, **options))
        assert video_model.adapt(frames[:4]).adapted
        assert video_model(frames[4]).shape == frames[4].shape[:2]


def test_only_matching_parameters_move() -> None:
    segmenter = HookedSegmenter(ToyNet().eval(), adapt="decoder.4.weight", features="decoder.2")
    model = wrap(segmenter, config=AdaptConfig(training=Training(learning_rate=1e-2), safety=None))
    model.adapt(toy_video(4))
    own = dict(model._stream.student.segmenter.model.named_parameters())
    for name, parameter in segmenter.model.named_parameters():
        assert torch.equal(parameter, own[name]) == (name != "decoder.4.weight"), name


def test_preprocessing_by_hand() -> None:
    segmenter = HookedSegmenter(
        ToyNet(), decoder="decoder", features="decoder.2", mean=(0.1, 0.2, 0.3), std=(1, 2, 4)
    )
    frame = torch.tensor([51, 102, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = torch.tensor([0.1, 0.1, 0.175]).view(1, 3, 1, 1)
    torch.testing.assert_close(segmenter.preprocess(frame), expected)


def test_resizing_is_anti_aliased() -> None:
    segmenter = HookedSegmenter(
        ToyNet(), decoder="decoder", features="decoder.2", size=(8, 8), mean=(0,) * 3, std=(1,) * 3
    )
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 255
    small = segmenter.preprocess(stripes)
    assert small.shape == (1, 3, 8, 8)
    torch.testing.assert_close(
        small[..., 1:-1], torch.full_like(small[..., 1:-1], 0.5), atol=0.02, rtol=0
    )


def test_features_stay_on_their_grid_where_the_model_resizes_its_logits() -> None:
    class Upsampling(ToyNet):
        def forward(self, images: Tensor) -> Tensor:
            return F.interpolate(super().forward(images), scale_factor=2)

    segmenter = HookedSegmenter(Upsampling().eval(), adapt="decoder.*", features="decoder.2")
    output = segmenter.decode(segmenter.preprocess(images_of()))
    assert output.features.shape[2:] == (19, 25)
    assert output.logits.shape[2:] == (38, 50)
    config = AdaptConfig(memory=AttentionAddon(radius=2), safety=None)
    video_model = wrap(segmenter, config=config)
    frames = toy_video(4)
    assert video_model.adapt(frames[:3]).adapted
    assert video_model(frames[3]).shape == frames[3].shape[:2]


def test_probe_leaves_train_flags_alone() -> None:
    net = ToyNet().train()
    net.encoder.eval()
    running = net.decoder[1].running_mean.clone()
    segmenter = HookedSegmenter(net, decoder="decoder", features="decoder.2")
    assert segmenter.num_classes == NUM_CLASSES
    assert net.training
    assert not net.encoder.training
    assert torch.equal(net.decoder[1].running_mean, running)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"features": "decoder.2", "decoder": "decoder", "adapt": "*"}, "one of them at most"),
        ({"frozen": "encoder", "start": "decoder"}, "one of them at most"),
        ({"frozen": "nope"}, "no submodule 'nope'"),
        ({"start": ""}, "no submodule ''"),
        ({"features": "nope", "decoder": "decoder"}, r"no submodule 'nope'.*encoder"),
        ({"features": "decoder.2", "decoder": "nope"}, r"no submodule 'nope'"),
        ({"features": "decoder.2", "adapt": "head.*"}, r"no parameter matches"),
    ],
)
def test_names_that_match_nothing(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        HookedSegmenter(ToyNet(), **options)


def test_decoder_that_is_never_called(unchecked: None) -> None:
    net = ToyNet()
    net.unused = nn.Conv2d(1, 1, 1)
    segmenter = HookedSegmenter(net, decoder="unused", features="unused")
    with pytest.raises(SegmenterError, match="never called"):
        wrap(segmenter).adapt(toy_video(2))


def test_feature_layer_outside_the_decoder(unchecked: None) -> None:
    segmenter = HookedSegmenter(ToyNet(), decoder="decoder", features="encoder.0")
    with pytest.raises(SegmenterError, match="not run by decode"):
        wrap(segmenter).adapt(toy_video(2))


def test_logits_that_cannot_be_found() -> None:
    class Odd(ToyNet):
        def forward(self, images: Tensor) -> Any:
            return lambda: super(Odd, self).forward(images)

    found = HookedSegmenter(Odd(), logits=lambda output: output())
    assert found.num_classes == NUM_CLASSES
    with pytest.raises(SegmenterError, match=r"no map of class scores.*logits="):
        _ = HookedSegmenter(Odd(), adapt="decoder.*", features="decoder.2").num_classes


def test_hooks_are_removed_when_the_model_raises() -> None:
    class Failing(ToyNet):
        def forward(self, images: Tensor) -> Tensor:
            super().forward(images)
            raise RuntimeError("broken")

    net = Failing()
    segmenter = HookedSegmenter(
        net, adapt="decoder.*", features="decoder.2", num_classes=4, feature_dim=6
    )
    with pytest.raises(SegmenterError, match="broken"):
        segmenter.decode(segmenter.preprocess(images_of()))
    assert not any(module._forward_hooks for module in net.modules())


def test_declared_counts_that_are_wrong(unchecked: None) -> None:
    segmenter = HookedSegmenter(
        ToyNet(), decoder="decoder", features="decoder.2", num_classes=7, feature_dim=6
    )
    with pytest.raises(SegmenterError, match="num_classes is given as 7, and the model has 4"):
        wrap(segmenter)(toy_video(1)[0])


def test_it_says_when_nothing_is_frozen() -> None:
    frames = toy_video(5)
    whole = HookedSegmenter(ToyNet().eval(), adapt="decoder.*", features="input:decoder.4")
    parts = HookedSegmenter(ToyNet().eval(), decoder="decoder", features="input:decoder.4")
    assert repr(whole) == "HookedSegmenter(ToyNet, not run yet)"
    assert "all of it is run at every step; adapted: decoder" in repr(wrap(whole))
    wrap(parts)
    assert repr(parts) == (
        "HookedSegmenter(ToyNet, 4 classes, at any size; frozen: encoder; adapted: decoder; "
        "ImageNet's normalisation, since neither model nor processor says otherwise)"
    )
    note = "every step ran all of the model, since no part of it is frozen"
    assert note in wrap(whole).adapt(frames[:4]).reason
    assert note not in wrap(parts).adapt(frames[:4]).reason


def test_the_encoder_is_frozen_where_the_scores_are_read_from_the_decoder() -> None:
    """The forward pass is left behind the decoder, so the calls around it never return."""
    segmenter = HookedSegmenter(
        Wrapped().eval(), decoder="head", features="head.layers.2", logits=lambda out: out["out"]
    )
    assert segmenter.parts.split.frozen == ("net.encoder",)
    images = segmenter.preprocess(images_of())
    with torch.no_grad():
        encoded = segmenter.encode(images)
        expected = segmenter.model(images)["out"]
        assert torch.equal(segmenter.decode(encoded).logits, expected)
