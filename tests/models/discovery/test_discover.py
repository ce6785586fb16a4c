"""The parts of networks as research code has them, found with nothing named."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.coverage import research_networks as research
from benchmarks.coverage.network import Network, plain_scores
from ditta_adapt import HookedSegmenter, SegmenterError, describe, wrap
from ditta_adapt.models.discovery.discover import Discovery
from ditta_adapt.models.own_forward import ODD_SIZES
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.private_copy import model_copy
from tests.toys import ToyNet, toy_video

pytestmark = pytest.mark.usefixtures("unchecked")

NETWORKS = {network.name: network for network in research.networks()}
TAKEN = [name for name, network in NETWORKS.items() if not network.refused]


def built(name: str) -> tuple[Network, nn.Module]:
    torch.manual_seed(0)
    return NETWORKS[name], NETWORKS[name].build()


def found(model: nn.Module) -> Discovery:
    return HookedSegmenter(model.eval()).discovery


@pytest.mark.parametrize("name", TAKEN)
def test_it_gives_what_the_network_gives(name: str) -> None:
    network, model = built(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    segmenter = HookedSegmenter(model)
    for size in ODD_SIZES:
        frame = torch.from_numpy(toy_video(1, size=size)[0]).permute(2, 0, 1)[None]
        with torch.no_grad():
            images = segmenter.preprocess(frame)
            ours = segmenter.decode(segmenter.encode(images)).logits
            own = network.own(model, images)
        resized = F.interpolate(ours, own.shape[2:], mode="bilinear", align_corners=False)
        spread = (own - own.mean((2, 3), keepdim=True)).abs().max()
        assert float((resized - own).abs().max()) <= 1e-5 * float(spread)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert not any(each._forward_hooks for each in nn.Module.modules(model))


EXPECTED = {
    # By the end of `three` 18 % of the operations are done, by that of `up_two` 59 %.
    "flat U-Net, padded and cropped": (("one", "two", "three", "up_two"), ("up_one", "last")),
    "overwrites modules": (("layers.0", "layers.1"), ("layers.2", "classifier")),
    "(scores, aux, features)": (("backbone", "deep"), ("head",)),
    "[features, aux, scores]": (("backbone", "deep"), ("head",)),
    "two branches, align_corners": (("context", "detail"), ("join",)),
    # Cutting the image into patches costs as much as the four blocks.
    "linear head on tokens": (
        ("patches", "blocks.0"),
        ("blocks.1", "blocks.2", "blocks.3", "neck", "head"),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_where_it_is_cut(name: str) -> None:
    _, model = built(name)
    parts = found(model).parts
    frozen, adapted = EXPECTED[name]
    assert set(parts.modules) == set(adapted)
    assert set(parts.split.frozen) == set(frozen)
    assert parts.parameters == ()


def test_features_are_what_the_classifier_sees() -> None:
    for name, layer in {
        "flat U-Net, padded and cropped": "input:last",
        "pixel shuffle": "input:to_scores",
        "linear head on tokens": "input:head",
        "image fed in again": "input:refine.1",
    }.items():
        _, model = built(name)
        assert str(found(model).parts.features) == layer, name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two inputs", "cannot be run on an image alone.*'depth'.*fills in what else"),
        ("decoder under no_grad", "no gradient passes.*torch.no_grad.*Take that off"),
        ("labels only", "returns labels, from which nothing can be learned"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_remedy(name: str, said: str) -> None:
    _, model = built(name)
    with pytest.raises(SegmenterError, match=said):
        wrap(model)


def test_remedies_help() -> None:
    _, model = built("two inputs")
    wrap(HookedSegmenter(model, call=lambda net, images: net(images, torch.zeros_like(images))))
    _, model = built("labels only")
    wrap(HookedSegmenter(model, decoder="last"))


class Heads(ToyNet):
    """Returns several maps."""

    def __init__(self, *heads: nn.Module, order: tuple[int, ...]) -> None:
        super().__init__()
        self.heads, self.order = nn.ModuleList(heads), order

    def forward(self, images: Tensor) -> Any:
        maps = self.encoder(images)
        given = [self.decoder(maps), *(head(maps) for head in self.heads)]
        return [given[i] for i in self.order]


def test_maps_that_differ_in_their_channels_are_refused() -> None:
    model = Heads(nn.Conv2d(8, 7, 1), order=(0, 1))
    with pytest.raises(SegmenterError, match=r"maps of 4 and 7 channels.*logits=lambda"):
        wrap(model)
    assert wrap(HookedSegmenter(model, logits=lambda output: output[0])) is not None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_map_of_one_channel_beside_others_is_no_answer(order: tuple[int, ...]) -> None:
    assert found(Heads(nn.Conv2d(8, 1, 1), order=order)).parts.num_classes == 4


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_heads_the_one_that_depends_on_more_is_the_answer(order: tuple[int, ...]) -> None:
    model = Heads(nn.Conv2d(8, 4, 1), order=order).eval()
    discovery = found(model)
    assert discovery.parts.modules == ("decoder",)
    assert "one of 2 maps" in discovery.notes[0]


class Sigmoids(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(super().forward(images).sigmoid(), images.shape[2:])


class Softmax(ToyNet):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(1)


def test_several_sigmoids_are_never_arg_maxed() -> None:
    with pytest.raises(SegmenterError, match=r"yes or no to each of 4 classes.*k : k \+ 1"):
        wrap(Sigmoids())
    one = wrap(HookedSegmenter(Sigmoids().eval(), logits=lambda output: output[:, 1:2]))
    frame = toy_video(1)[0]
    with torch.no_grad():
        images = one.segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        own = Sigmoids().eval()(images)[0, 1]
    assert torch.equal(one(frame), (own > 0.5).long())


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Hardsigmoid()])
def test_a_single_sigmoid_is_a_probability(last: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(research.FlatUNet(1), last).eval()
    frame = toy_video(1, size=(64, 96))[0]
    for threshold in (0.5, 0.52):
        video_model = wrap(model, threshold=threshold)
        with torch.no_grad():
            image = torch.from_numpy(frame).permute(2, 0, 1)[None]
            own = model(video_model.segmenter.preprocess(image))[0, 0]
        assert torch.equal(video_model(frame), (own > threshold).long())


def test_probabilities_are_known_by_their_sums() -> None:
    model = Softmax().eval()
    segmenter = HookedSegmenter(model)
    with torch.no_grad():
        images = torch.randn(1, 3, 32, 40)
        logits = segmenter.decode(segmenter.encode(images)).logits
        torch.testing.assert_close(logits.softmax(1), model(images), atol=1e-5, rtol=1e-4)


def test_gradients_reach_exactly_what_is_adapted() -> None:
    for name in TAKEN:
        _, model = built(name)
        segmenter = HookedSegmenter(model)
        copy = model_copy(model)
        own = HookedSegmenter(copy)
        for parameter in copy.parameters():
            parameter.requires_grad_(True)
        with torch.no_grad():
            encoded = own.encode(torch.randn(1, 3, *segmenter.discovery.sizes.nearest(96, 128)))
        own.decode(encoded).logits.square().sum().backward()
        adapted = {id(parameter) for parameter in adaptable_parameters(own)}
        for key, parameter in copy.named_parameters():
            if id(parameter) in adapted:
                assert parameter.grad is not None, (name, key)


def test_a_description_to_look_at() -> None:
    _, model = built("[features, aux, scores]")
    text = str(describe(model))
    assert "classes   5" in text
    assert "frozen    backbone, deep" in text
    assert "adapted   head" in text
    assert "ImageNet's normalisation, since neither" in text
    assert "logits are output[2], one of 3 maps" in text


def test_the_report_says_what_was_assumed() -> None:
    reason = wrap(ToyNet().eval()).adapt(toy_video(4)).reason
    assert "ImageNet's normalisation, since neither model nor processor says otherwise" in reason


def test_a_model_is_looked_at_once() -> None:
    model = ToyNet().eval()
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    wrap(model)
    first = len(calls)
    wrap(model)
    assert len(calls) == first
    # Another head is another model.
    model.decoder[4] = nn.Conv2d(6, 9, 1)
    assert wrap(model).segmenter.num_classes == 9
    assert plain_scores(model, torch.randn(1, 3, 8, 8)).shape[1] == 9
