"""What cannot be adapted is refused at the door, by name, before anything is copied."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from ditta_adapt import DittaError, SegmenterError, wrap
from ditta_adapt.baselines import ImageModel, Tent
from ditta_adapt.models import usable
from tests.toys import NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter, toy_video

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


class Loads:
    """Stands for a hook that brings weights when a layer is run, as accelerate's offloading has."""


def test_frozen_weights_may_be_brought_when_they_are_needed() -> None:
    net = ToyNet().eval()
    net.encoder.to("meta")
    net._hf_hook = Loads()
    usable.check_usable(ToySegmenter(net))
    net.decoder.to("meta")
    with pytest.raises(SegmenterError, match="meta"):
        usable.check_usable(ToySegmenter(net))


@pytest.mark.parametrize(("count", "fits"), [(np.int64(4), True), (4.0, False), (True, False)])
def test_counts_of_other_libraries(count: object, fits: bool, unchecked: None) -> None:
    class Counted(ToySegmenter):
        num_classes = count

    if fits:
        usable.check_usable(Counted(ToyNet()))
    else:
        with pytest.raises(SegmenterError, match="expected an int"):
            usable.check_usable(Counted(ToyNet()))


def test_one_class_is_refused_with_the_remedy(unchecked: None) -> None:
    class OneClass(ToySegmenter):
        num_classes = 1

    with pytest.raises(SegmenterError, match=r"sigmoid .* torch\.cat"):
        wrap(OneClass(ToyNet()))


def test_the_remedy_for_a_sigmoid_is_the_models_own_threshold() -> None:
    logits = torch.tensor([-2.0, -1e-4, 1e-4, 3.0]).view(1, 1, 1, 4)
    two = torch.cat([0 * logits, logits], dim=1)
    assert torch.equal(two.argmax(1), (logits[:, 0].sigmoid() > 0.5).long())


def test_a_model_with_state_that_is_no_tensor() -> None:
    class Talks(nn.Conv2d):
        def get_extra_state(self) -> dict[str, int]:
            return {"calls": 3}

        def set_extra_state(self, state: dict[str, int]) -> None:
            pass

    net = ToyNet().eval()
    net.talks = Talks(3, 3, 1)
    report = wrap(ToySegmenter(net)).adapt(toy_video(3))
    assert len(report.model_hash) == 64
