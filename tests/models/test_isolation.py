"""The user's model is exactly as it was: after every call, and when one raised half-way."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import (
    AdaptationError,
    AdaptConfig,
    Frame,
    HookedSegmenter,
    Masks,
    PropagationError,
    Segmenter,
    SegmenterError,
    SegmenterOutput,
    Training,
    wrap,
)
from ditta_adapt.models.parameters import all_parameters, modules_of, weight_hash
from ditta_adapt.models.private_copy import private_copy
from tests.toys import (
    FEATURES,
    NUM_CLASSES,
    StillPropagator,
    StillSession,
    ToyNet,
    ToySegmenter,
    prompting,
    toy_segmenter,
    toy_video,
)

# Adapted whatever is learned, so that there is something to keep apart.
RAW = AdaptConfig(safety=None, look=None)
PAPER = prompting(AdaptConfig.paper(), 0.3)


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Everything that must not change; hooks and gradients included."""
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "identity": {name: id(p) for name, p in model.named_parameters()},
        "requires_grad": {name: p.requires_grad for name, p in model.named_parameters()},
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "training": {name: m.training for name, m in model.named_modules()},
        "hooks": {
            name: (len(m._forward_hooks), len(m._forward_pre_hooks))
            for name, m in model.named_modules()
        },
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    state, later = before.pop("state"), after.pop("state")
    assert before == after
    assert all(torch.equal(state[name], later[name]) for name in state)


@pytest.fixture
def net() -> ToyNet:
    """A model in a state of its own: mixed train flags, some parameters frozen."""
    net = ToyNet()
    net.train()
    net.encoder.eval()
    net.decoder[1].weight.requires_grad_(False)
    return net


class BrokenSession(StillSession):
    """Raises after a few calls, with one object's mask already there."""

    def propagate(self, t: int, to: int) -> Masks:
        if t >= 1:
            raise RuntimeError("teacher out of memory")
        return super().propagate(t, to)


class BrokenPropagator(StillPropagator):
    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[StillSession]:
        yield BrokenSession(frames)


@pytest.mark.parametrize("config", [RAW, PAPER], ids=["default", "paper"])
def test_after_every_call(net: ToyNet, config: AdaptConfig) -> None:
    before, frames = snapshot(net), toy_video(6)
    model = wrap(ToySegmenter(net), config=config)
    assert_same(snapshot(net), copy.copy(before))
    steps: list[Callable[[], object]] = [
        lambda: model.adapt(frames[:4]),
        lambda: model(frames[4]),
        lambda: list(model.segment(frames, warmup=2)),
        model.clear_memory,
        model.reset,
    ]
    for step in steps:
        step()
        assert_same(snapshot(net), copy.copy(before))


def test_when_the_teacher_raises(net: ToyNet) -> None:
    before, frames = snapshot(net), toy_video(6)
    model = wrap(ToySegmenter(net), config=PAPER)
    model.adapt(frames[:4])
    report, next_labels = model.report, model.predict(frames[4]).probabilities
    model.adapt(frames[:4])
    report = model.report
    model._propagator = BrokenPropagator()
    with pytest.raises(PropagationError, match=r"propagate\(1, 2\).*out of memory") as caught:
        model.adapt(frames)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert_same(snapshot(net), before)
    # What was adapted before, and the stream's memory, are still there.
    assert model.report is report
    assert torch.equal(model.predict(frames[4]).probabilities, next_labels)


def test_when_decode_raises_in_the_middle_of_adaptation(net: ToyNet) -> None:
    calls = 0

    class Failing(ToySegmenter):
        def decode(self, encoded: Tensor) -> SegmenterOutput:
            nonlocal calls
            calls += 1
            if calls == 13:
                raise RuntimeError("no kernel")
            return super().decode(encoded)

    before = snapshot(net)
    model = wrap(Failing(net), config=RAW)
    with pytest.raises(SegmenterError, match="no kernel"):
        model.adapt(toy_video(4))
    assert calls == 13
    assert_same(snapshot(net), before)


def test_when_the_callback_interrupts(net: ToyNet) -> None:
    def interrupt(progress: object) -> None:
        raise KeyboardInterrupt

    before = snapshot(net)
    with pytest.raises(KeyboardInterrupt):
        wrap(ToySegmenter(net), config=RAW).adapt(toy_video(3), progress=interrupt)
    assert_same(snapshot(net), before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_when_logits_are_not_finite(net: ToyNet, value: float) -> None:
    with torch.no_grad():
        net.decoder[-1].bias[1] = value
    before, frames = snapshot(net), toy_video(3)
    model = wrap(ToySegmenter(net))
    with pytest.raises(SegmenterError, match="not finite"):
        model.adapt(frames)
    with pytest.raises(SegmenterError, match="not finite"):
        model(frames[0])
    after = snapshot(net)
    assert torch.equal(after["state"].pop("decoder.4.bias").isfinite(), torch.tensor([1, 0, 1, 1]))
    before["state"].pop("decoder.4.bias")
    assert_same(after, before)


def test_when_the_loss_explodes(net: ToyNet) -> None:
    before, frames = snapshot(net), toy_video(4)
    model = wrap(
        ToySegmenter(net), config=AdaptConfig(training=Training(learning_rate=1e30), safety=None)
    )
    with pytest.raises(AdaptationError, match="learning_rate"):
        model.adapt(frames)
    assert_same(snapshot(net), before)
    assert model.report is None


def test_user_gradients_are_neither_read_nor_written(net: ToyNet) -> None:
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    wrap(ToySegmenter(net), config=RAW).adapt(toy_video(3))
    assert all(bool((parameter.grad == 3).all()) for parameter in net.parameters())


def test_whole_model_decode_leaves_frozen_gradients_alone() -> None:
    net = ToyNet().eval()
    before = snapshot(net)
    segmenter = HookedSegmenter(net, adapt="decoder.4.*", features="input:decoder.3")
    report = wrap(segmenter, config=RAW).adapt(toy_video(4))
    assert report.adapted
    assert_same(snapshot(net), before)


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


def test_arrays_are_not_written() -> None:
    frames = toy_video(5)
    for frame in frames:
        frame.setflags(write=False)
    copies = [frame.copy() for frame in frames]
    model = wrap(toy_segmenter(), config=RAW)
    model.adapt(frames[:4])
    model(frames[4])
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies, strict=True))
