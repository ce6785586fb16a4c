"""Naming the parts of a model must not lose what its forward pass does around them."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, SegmenterError, wrap
from ditta_adapt.models.own_forward import forward_disagreement
from ditta_adapt.testing import check_segmenter
from tests.toys import ToyNet, toy_video

# Checks of types ask for the counts, and would turn what they raise into an error of theirs.
pytestmark = pytest.mark.usefixtures("unchecked")

PARTS = {"decoder": "decoder", "features": "input:decoder.4"}


class PadAndCrop(ToyNet):
    """Pads to a multiple of 32, as many networks do, and crops what comes out."""

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % 32, 0, -height % 32), mode="reflect")
        logits = F.interpolate(super().forward(padded), padded.shape[2:], mode="bilinear")
        return logits[..., :height, :width]


class AlignCorners(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return F.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)


class Resizes(ToyNet):
    """As most do, and as is done anyway."""

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(super().forward(images), images.shape[2:], mode="bilinear")


class Divisible(Resizes):
    def forward(self, images: Tensor) -> Tensor:
        if images.shape[2] % 32 or images.shape[3] % 32:
            raise ValueError("the sides must divide by 32")
        return super().forward(images)


class Picky(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        raise ValueError("expected 512 x 512")


@pytest.mark.parametrize("network", [PadAndCrop, AlignCorners])
def test_what_would_be_lost_is_refused(network: type[ToyNet]) -> None:
    model = network().eval()
    with pytest.raises(SegmenterError, match=r"\d+\.\d% of the labels .* without decoder"):
        wrap(HookedSegmenter(model, **PARTS))
    # The counts being known is no reason to look away.
    known = HookedSegmenter(model, **PARTS, num_classes=4, feature_dim=6)
    with pytest.raises(SegmenterError, match="of the labels"):
        wrap(known)
    assert not check_segmenter(
        lambda: HookedSegmenter(model, **PARTS), include=["own_forward"], on_fail="report"
    ).ok


@pytest.mark.parametrize("network", [PadAndCrop, AlignCorners])
@pytest.mark.parametrize("size", [(97, 131), (33, 50)])
def test_all_of_the_model_loses_nothing(network: type[ToyNet], size: tuple[int, int]) -> None:
    model = network().eval()
    segmenter = HookedSegmenter(model, adapt="decoder.*", features="input:decoder.4")
    frame = toy_video(1, size=size)[0]
    with torch.no_grad():
        images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        expected = model(images).argmax(1)[0]
    assert torch.equal(wrap(segmenter)(frame), expected)


@pytest.mark.parametrize("network", [ToyNet, Resizes, Divisible])
def test_what_is_done_anyway_is_taken(network: type[ToyNet]) -> None:
    wrap(HookedSegmenter(network().eval(), **PARTS))


class Two(nn.Module):
    """Returns features first, in a form of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ToyNet()

    def forward(self, images: Tensor) -> Any:
        logits = self.net.decoder(self.net.encoder(images))
        return {"features": images, "answer": {"mine": logits}}


def test_an_output_without_logits_that_can_be_found_is_not_compared() -> None:
    segmenter = HookedSegmenter(Two().eval(), decoder="net.decoder", features="input:net.decoder.4")
    wrap(segmenter)
    (result,) = check_segmenter(lambda: segmenter, include=["own_forward"]).results
    assert result.status == "skipped"
    assert "no logits (B, 4, h, w)" in result.message


def test_a_model_that_cannot_be_run() -> None:
    with pytest.raises(SegmenterError, match=r"cannot be run.*expected 512 x 512.*size=\(H, W\)"):
        wrap(HookedSegmenter(Picky().eval(), **PARTS))


@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing_of_the_model(training: bool) -> None:
    model = ToyNet()
    model.train(training)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    wrap(HookedSegmenter(model, **PARTS))
    assert model.training is training
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_disagreement_by_hand() -> None:
    """Two of eight pixels are labelled otherwise."""

    class Two:
        def __init__(self) -> None:
            self.layer = nn.Conv2d(3, 2, 1)

        def preprocess(self, frames: Tensor) -> Tensor:
            return frames.float()

        def encode(self, images: Tensor) -> Tensor:
            return images

        def decode(self, encoded: Tensor) -> Any:
            from ditta_adapt import SegmenterOutput

            first = torch.zeros(1, 1, 2, 4)
            return SegmenterOutput(encoded, torch.cat([first, first - 1], dim=1))

        def reference(self, images: Tensor) -> Tensor:
            second = torch.full((1, 1, 2, 4), -1.0)
            second[..., 0] = 1
            return torch.cat([torch.zeros(1, 1, 2, 4), second], dim=1)

    frames = torch.zeros(1, 3, 2, 4, dtype=torch.uint8)
    assert forward_disagreement(Two(), Two(), frames) == 0.25  # type: ignore[arg-type]


class CallsByName(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        *layers, classifier = self.decoder
        maps = self.encoder(images)
        for layer in layers:
            maps = layer(maps)
        return classifier(input=maps)


def test_a_layer_that_is_called_by_name() -> None:
    model = CallsByName().eval()
    segmenter = HookedSegmenter(model, adapt="decoder.*", features="input:decoder.4")
    frames = toy_video(4)
    expected = HookedSegmenter(ToyNet().eval(), adapt="decoder.*", features="input:decoder.4")
    images = segmenter.preprocess(torch.from_numpy(frames[0]).permute(2, 0, 1)[None])
    with torch.no_grad():
        found, same = segmenter.decode(images), expected.decode(images)
    assert torch.equal(found.features, same.features)
    assert wrap(segmenter).adapt(frames[:3]).losses
