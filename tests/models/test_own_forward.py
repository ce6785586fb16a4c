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


@pytest.mark.parametrize(
    "parts", [PARTS, {"adapt": "decoder.*"}, {}], ids=["decoder", "parameters", "nothing"]
)
@pytest.mark.parametrize("network", [PadAndCrop, AlignCorners])
@pytest.mark.parametrize("size", [(97, 131), (33, 50)])
def test_nothing_around_the_decoder_is_lost(
    network: type[ToyNet], size: tuple[int, int], parts: dict[str, Any]
) -> None:
    model = network().eval()
    segmenter = HookedSegmenter(model, **parts)
    frame = toy_video(1, size=size)[0]
    with torch.no_grad():
        images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        expected = model(images).argmax(1)[0]
    assert torch.equal(wrap(segmenter)(frame), expected)


@pytest.mark.parametrize("network", [ToyNet, Resizes, Divisible])
def test_what_is_done_anyway_is_taken(network: type[ToyNet]) -> None:
    wrap(HookedSegmenter(network().eval(), **PARTS))


class Nested(ToyNet):
    """Returns features first, in a form of its own."""

    def forward(self, images: Tensor) -> Any:
        return {"features": images, "answer": {"mine": super().forward(images)}}


class Deep(ToyNet):
    """With the logits of an auxiliary head, which come first, as in OCRNet."""

    def forward(self, images: Tensor) -> Any:
        logits = super().forward(images)
        return [-logits, logits]


class NeedsLabels(ToyNet):
    def forward(self, images: Tensor) -> Any:
        super().forward(images)
        raise ValueError("labels are missing")


def test_logits_are_found_in_an_output_of_any_form() -> None:
    segmenter = HookedSegmenter(Nested().eval(), **PARTS)
    wrap(segmenter)
    (result,) = check_segmenter(lambda: segmenter, include=["own_forward"]).results
    assert result.status == "passed"


@pytest.mark.parametrize("network", [Deep, NeedsLabels])
def test_the_decoder_says_which_map_is_the_answer(network: type[ToyNet]) -> None:
    model = network().eval()
    segmenter = HookedSegmenter(model, **PARTS)
    frame = toy_video(1, size=(64, 80))[0]
    with torch.no_grad():
        images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        expected = ToyNet.forward(model, images)
        assert torch.equal(segmenter.decode(segmenter.encode(images)).logits, expected)


class Scaled(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(super().forward(images), scale_factor=4, mode="bilinear")


@pytest.mark.parametrize("classes", [19, 150])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("network", "size"), [(Resizes, None), (Resizes, (60, 84)), (Scaled, None)]
)
def test_near_ties_of_any_precision_are_no_loss(
    network: type[ToyNet], size: tuple[int, int] | None, dtype: torch.dtype, classes: int
) -> None:
    torch.manual_seed(classes)
    model = network()
    model.decoder[4] = nn.Conv2d(model.decoder[4].in_channels, classes, 1)
    model.eval().to(dtype)
    wrap(HookedSegmenter(model, **PARTS, size=size))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wrap(HookedSegmenter(model.float(), **PARTS, size=size))


class Drops(Resizes):
    """Dropout that is always on, as for uncertainty."""

    def __init__(self) -> None:
        super().__init__()
        encoder = self.encoder
        self.encoder = nn.Sequential(encoder, Always())


class Always(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return F.dropout(maps, 0.5, training=True)


def test_a_model_that_draws_random_numbers() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    wrap(HookedSegmenter(Drops().eval(), **PARTS))
    assert torch.equal(torch.random.get_rng_state(), before)


class Fourteen(Resizes):
    def forward(self, images: Tensor) -> Tensor:
        if images.shape[2] % 14 or images.shape[3] < 224:
            raise ValueError("the sides must divide by 14")
        return super().forward(images)


def test_other_sizes_are_tried() -> None:
    segmenter = HookedSegmenter(Fourteen().eval(), **PARTS)
    assert "at 224 x 224" in repr(wrap(segmenter))
    assert wrap(segmenter)(toy_video(1)[0]).shape == toy_video(1)[0].shape[:2]


class OutOfMemory(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("20 GiB")


def test_running_out_of_memory_stays_what_it_is() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        wrap(HookedSegmenter(OutOfMemory().eval(), **PARTS))


class Merges(nn.Module):
    """Adds an update into its weight where it is put in eval mode, as some LoRA layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.merged = False

    def train(self, mode: bool = True) -> "Merges":
        if not mode and not self.merged:
            self.weight.data += 1
            self.merged = True
        return super().train(mode)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weight.mean()


def test_a_layer_that_writes_where_its_mode_changes() -> None:
    model = ToyNet()
    model.decoder.insert(2, Merges())
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parts = {"decoder": "decoder", "features": "input:decoder.5"}
    video_model = wrap(HookedSegmenter(model, **parts))
    video_model(toy_video(1)[0])
    video_model.reset()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_model_that_cannot_be_run() -> None:
    with pytest.raises(
        SegmenterError, match=r"cannot be run on an image alone.*expected 512 x 512.*size=\(H, W\)"
    ):
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
    assert forward_disagreement(Two(), Two().reference, frames) == 0.25  # type: ignore[arg-type]


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
