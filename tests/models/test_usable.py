"""What cannot be adapted is refused at the door, by name, before anything is copied."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ditta_adapt import DittaError, SegmenterError, wrap
from ditta_adapt.baselines import ImageModel, Tent
from tests.toys import NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter

DOORS: list[Callable[[object], object]] = [wrap, ImageModel, lambda s: Tent.original(s, seed=0)]


@pytest.mark.parametrize("door", DOORS, ids=["wrap", "image model", "tent"])
class TestEveryDoor:
    def test_meta(self, door: Callable[[object], object]) -> None:
        segmenter = ToySegmenter(ToyNet().to("meta"))
        with pytest.raises(SegmenterError, match=r"weight \w+\.\S+weight is on the meta device"):
            door(segmenter)

    def test_lazy(self, door: Callable[[object], object]) -> None:
        net = ToyNet()
        net.decoder[4] = nn.LazyConv2d(NUM_CLASSES, 1)
        with pytest.raises(SegmenterError, match=r"4\.weight has no size yet.*Run the model"):
            door(ToySegmenter(net))

    def test_integers(self, door: Callable[[object], object]) -> None:
        net = ToyNet()
        for module in net.decoder.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                frozen = nn.Parameter(parameter.detach().to(torch.int8), requires_grad=False)
                setattr(module, name, frozen)
        with pytest.raises(SegmenterError, match="integers"):
            door(ToySegmenter(net))


def test_a_buffer_on_meta() -> None:
    net = ToyNet()
    net.decoder.register_buffer("table", torch.zeros(3, device="meta"))
    with pytest.raises(SegmenterError, match="table is on the meta device"):
        wrap(ToySegmenter(net))


def test_some_integers_beside_weights_are_no_harm() -> None:
    segmenter = toy_segmenter()
    codes = nn.Parameter(torch.arange(3, dtype=torch.int8), requires_grad=False)
    segmenter.model.decoder.register_parameter("codes", codes)
    from tests.toys import toy_video

    frames = toy_video(4)
    model = wrap(segmenter)
    model.adapt(frames[:3])
    assert model(frames[3]).shape == frames[3].shape[:2]


def test_nothing_is_left_changed() -> None:
    net = ToyNet()
    net.decoder[4] = nn.LazyConv2d(NUM_CLASSES, 1)
    net.train()
    with pytest.raises(DittaError):
        wrap(ToySegmenter(net))
    assert all(module.training for module in net.modules())
