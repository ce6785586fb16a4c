"""A private copy shares nothing with the model that adaptation could change."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import Segmenter, SegmenterError, SegmenterOutput, wrap
from ditta_adapt.models.parameters import all_parameters, modules_of, weight_hash
from ditta_adapt.models.private_copy import private_copy
from tests.models.snapshots import assert_same, snapshot
from tests.toys import FEATURES, NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter


class TestPrivateCopy:
    def test_shares_frozen_parameters_and_owns_the_rest(self) -> None:
        segmenter = toy_segmenter()
        own = private_copy(segmenter)
        mine, theirs = dict(own.model.named_parameters()), dict(segmenter.model.named_parameters())
        for name, parameter in mine.items():
            shared = parameter.data_ptr() == theirs[name].data_ptr()
            assert shared == name.startswith("encoder")
            assert parameter.requires_grad == name.startswith("decoder")
            assert parameter is not theirs[name]
        for name, buffer in own.model.named_buffers():
            assert buffer.data_ptr() != dict(segmenter.model.named_buffers())[name].data_ptr()

    def test_is_in_eval_mode(self, net: ToyNet) -> None:
        own = private_copy(ToySegmenter(net))
        assert not any(module.training for module in own.model.modules())

    def test_what_cannot_be_copied(self) -> None:
        segmenter = toy_segmenter()
        segmenter.model.stream = (frame for frame in ())  # A generator cannot be copied.
        with pytest.raises(SegmenterError, match="cannot be copied"):
            wrap(segmenter)

    def test_nothing_to_adapt(self) -> None:
        class Nothing(ToySegmenter):
            def adaptable_modules(self) -> dict[str, nn.Module]:
                return {"activation": nn.ReLU()}

        with pytest.raises(SegmenterError, match="no parameters"):
            wrap(Nothing(ToyNet()))


def test_weight_hash_sees_every_weight() -> None:
    reference = weight_hash(toy_segmenter())
    assert weight_hash(toy_segmenter()) == reference
    for name in ("encoder.0.weight", "encoder.1.running_mean", "decoder.4.bias"):
        changed = toy_segmenter()
        with torch.no_grad():
            changed.model.state_dict()[name].flatten()[0] += 1e-3
        assert weight_hash(changed) != reference, name


class Delegating:
    """Leaves the work to a segmenter that it holds in one way or another."""

    num_classes, feature_dim = NUM_CLASSES, FEATURES

    def __init__(self, inner: ToySegmenter, hold: Callable[[ToySegmenter], Any]) -> None:
        self.held, self.names, self.table, self.kind = hold(inner), ("a",), np.zeros(2), ToyNet

    @property
    def inner(self) -> ToySegmenter:
        found = self.held
        while not isinstance(found, ToySegmenter):
            found = found["first"] if isinstance(found, dict) else found[0]
        return found

    def preprocess(self, frames: Tensor) -> Tensor:
        return self.inner.preprocess(frames)

    def encode(self, images: Tensor) -> Tensor:
        return self.inner.encode(images)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return self.inner.decode(encoded)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return self.inner.adaptable_modules()


def in_a_cycle(inner: ToySegmenter) -> Any:
    held: list[Any] = [inner]
    held.append(held)
    inner.owner = held  # type: ignore[attr-defined]
    return held


class Stages(ToySegmenter):
    """Holds the parts of a model, not the model."""

    def __init__(self, net: ToyNet, container: type) -> None:
        parts = {"encoder": net.encoder, "decoder": net.decoder}
        self.stages = parts if container is dict else container(parts.values())
        self.encoded_frames = 0

    @property
    def model(self) -> Any:  # type: ignore[override]
        stages = self.stages.values() if isinstance(self.stages, dict) else self.stages
        encoder, decoder = stages
        return SimpleNamespace(encoder=encoder, decoder=decoder)


HOLDERS: dict[str, Callable[[ToyNet], Segmenter]] = {
    "delegate": lambda net: Delegating(ToySegmenter(net), lambda inner: inner),
    "delegate in a nest": lambda net: Delegating(
        ToySegmenter(net), lambda inner: ({"first": [inner]},)
    ),
    "delegate in a cycle": lambda net: Delegating(ToySegmenter(net), in_a_cycle),
    "list": lambda net: Stages(net, list),
    "tuple": lambda net: Stages(net, tuple),
    "dict": lambda net: Stages(net, dict),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
class TestModulesHeldIndirectly:
    def test_all_parameters_are_found(
        self, hold: Callable[[ToyNet], Segmenter], net: ToyNet
    ) -> None:
        found = all_parameters(hold(net))
        assert len(found) == len(list(net.parameters()))
        assert {id(p) for p in found} == {id(p) for p in net.parameters()}

    def test_private_copy(self, hold: Callable[[ToyNet], Segmenter], net: ToyNet) -> None:
        net.encoder.train()
        before = snapshot(net)
        own = private_copy(hold(net))
        assert not any(layer.training for m in modules_of(own) for layer in m.modules())
        mine = {p.data_ptr() for p in all_parameters(own)}
        assert mine & {p.data_ptr() for p in net.parameters()} == {
            p.data_ptr() for p in net.encoder.parameters()
        }
        assert_same(snapshot(net), before)

    def test_hash_sees_the_encoder(self, hold: Callable[[ToyNet], Segmenter], net: ToyNet) -> None:
        reference = weight_hash(hold(net))
        assert weight_hash(hold(net)) == reference
        with torch.no_grad():
            net.encoder[0].bias[0] += 1e-3
        assert weight_hash(hold(net)) != reference


@pytest.mark.usefixtures("unchecked")
def test_unregistered_parts_of_a_segmenter_that_is_a_module() -> None:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.extra = nn.Linear(1, 1), [nn.Linear(2, 2)]

        def adaptable_modules(self) -> Mapping[str, nn.Module]:
            return {"head": self.head}

    segmenter: Any = Module()
    assert modules_of(segmenter) == [segmenter, segmenter.extra[0], segmenter.head]
