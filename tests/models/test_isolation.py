"""The user's model is exactly as it was: after every call, and when one raised half-way."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import (
    AdaptationError,
    AdaptConfig,
    Frame,
    HookedSegmenter,
    Masks,
    PropagationError,
    SegmenterError,
    SegmenterOutput,
    Training,
    wrap,
)
from tests.models.snapshots import assert_same, snapshot
from tests.toys import (
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


def test_arrays_are_not_written() -> None:
    frames = toy_video(5)
    for frame in frames:
        frame.setflags(write=False)
    copies = [frame.copy() for frame in frames]
    model = wrap(toy_segmenter(), config=RAW)
    model.adapt(frames[:4])
    model(frames[4])
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies, strict=True))
