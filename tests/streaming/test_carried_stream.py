"""Streaming with votes of past frames, and teachers that fail at it."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import (
    Frame,
    PropagationError,
    VideoSegmenter,
    wrap,
)
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.streaming.memory import Memory, update_memory
from tests.baselines.shift_propagator import ShiftPropagator, ShiftSession
from tests.test_video_segmenter import (
    CARRIED,
    RAW,
    RESIDUAL,
    decoded,
    labels_of,
    same,
)
from tests.toys import StillPropagator, toy_segmenter, toy_video


def loop(
    model: VideoSegmenter, teacher: Any, frames: list[np.ndarray], memory: Memory | None
) -> list[Memory]:
    """The votes after every frame, all frames open at once, and written down plainly."""
    memories = []
    with teacher.open(frames) as session:
        for t, frame in enumerate(frames):
            logits, tensor = decoded(model, frame), torch.from_numpy(frame).permute(2, 0, 1)
            if memory is None:
                memory = Memory(tensor, soft_votes(logits))
            else:
                memory = update_memory(
                    session, memory, tensor, logits, (t - 1, t), decay=0.7, tolerance=0.2
                )
            memories.append(memory)
    return memories


def at_frame_size(memory: Memory) -> Tensor:
    size = memory.frame.shape[1:]
    return F.interpolate(memory.votes[None], size, mode="bilinear", align_corners=False)[0]


TEACHERS: dict[str, Callable[[], Any]] = {
    "shift": ShiftPropagator,
    "flow": OpticalFlowPropagator,
}


@pytest.mark.parametrize("make_teacher", TEACHERS.values(), ids=TEACHERS)
class TestVotesOfPastFrames:
    CONFIG = replace(RAW, memory_decay=0.7, photometric_tolerance=0.2, learning_rate=1e-3)

    def adapted(self, teacher: Any, frames: list[np.ndarray]) -> VideoSegmenter:
        model = wrap(toy_segmenter(), propagator=teacher, config=self.CONFIG)
        assert model.adapt(frames).adapted
        return model

    def test_labels_are_those_of_a_plain_loop(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(9)
        model = self.adapted(make_teacher(), frames[:4])
        expected = loop(model, make_teacher(), frames, None)[4:]
        changed = 0
        for frame, memory in zip(frames[4:], expected, strict=True):
            labels = model(frame)
            assert torch.equal(labels, at_frame_size(memory).argmax(0))
            own = Memory(memory.frame, soft_votes(decoded(model, frame)))
            changed += int((labels != at_frame_size(own).argmax(0)).sum())
        assert changed > 0

    def test_probabilities_are_shares_of_the_votes(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(8)
        model = self.adapted(make_teacher(), frames[:4])
        expected = loop(model, make_teacher(), frames, None)[4:]
        for frame, memory in zip(frames[4:], expected, strict=True):
            prediction = model.predict(frame)
            votes = at_frame_size(memory)
            torch.testing.assert_close(prediction.probabilities, votes / votes.sum(0))
            total = prediction.probabilities.sum(0)
            torch.testing.assert_close(total, torch.ones_like(total))

    def test_only_the_last_frames_of_a_long_warmup_are_remembered(
        self, make_teacher: Callable[[], Any]
    ) -> None:
        frames = toy_video(11, size=(24, 30))
        model = self.adapted(make_teacher(), frames[:10])
        expected = loop(model, make_teacher(), frames[2:], None)[-1]
        prediction = model.predict(frames[10])
        votes = at_frame_size(expected)
        torch.testing.assert_close(prediction.probabilities, votes / votes.sum(0))

    def test_the_past_matters(self, make_teacher: Callable[[], Any]) -> None:
        """Of two streams that end alike, the one that began otherwise is labelled otherwise."""
        frames = toy_video(6)
        model = self.adapted(make_teacher(), frames[:4])
        continued = model.predict(frames[4]).probabilities
        model.clear_memory()
        cut = model.predict(frames[4]).probabilities
        votes = at_frame_size(loop(model, make_teacher(), frames[4:5], None)[0])
        torch.testing.assert_close(cut, votes / votes.sum(0))
        assert not torch.equal(continued, cut)
        model.clear_memory()
        for frame in frames[:4]:
            model(frame)
        assert torch.equal(model.predict(frames[4]).probabilities, continued)

    def test_without_fusing_votes_are_counted_anew(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(7)
        model = self.adapted(make_teacher(), frames[:4])
        model.predict(frames[4], fuse=False)
        then = model.predict(frames[5]).probabilities
        model.clear_memory()
        model(frames[4])
        assert torch.equal(model.predict(frames[5]).probabilities, then)

    def test_another_scene_is_labelled_by_itself(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(5)
        model = self.adapted(make_teacher(), frames[:4])
        # Dark, then light, at every cell: no colour fits.
        dark, light = (np.clip(frames[4] // 4 + offset, 0, 255) for offset in (0, 190))
        model(dark)
        seen = model.predict(light).probabilities
        model.clear_memory()
        # Cells without a source count as cells that fit: next to them a trace of trust is left.
        torch.testing.assert_close(seen, model.predict(light).probabilities, rtol=0, atol=5e-3)

    def test_a_stream_keeps_one_frame_and_its_votes(self, make_teacher: Callable[[], Any]) -> None:
        frames, teacher = toy_video(12, size=(24, 30)), make_teacher()
        model = self.adapted(teacher, frames[:4])
        kept = []
        for frame in frames[4:]:
            model(frame)
            if isinstance(teacher, ShiftPropagator):
                teacher.opened.clear()
            gc.collect()
            kept.append(sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()))
        assert kept[-1] == kept[1]

    def test_reset_is_the_image_model_again(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(6)
        model = self.adapted(make_teacher(), frames[:4])
        model(frames[4])
        model.reset()
        untouched = wrap(toy_segmenter(), config=RAW)
        assert same(labels_of(model, frames), labels_of(untouched, frames))


class Unreliable(ShiftPropagator):
    """Fails when asked to."""

    how = ""

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[ShiftSession]:
        if self.how == "open":
            raise RuntimeError("out of memory")
        with super().open(frames) as session:
            if self.how == "warp":
                session.warp = self.fail
            if self.how == "shape":
                session.warp = lambda maps, t, to: (maps[:, 1:], torch.ones(1, 1).bool())
            yield session

    def fail(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        raise RuntimeError("out of memory")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("how", "match"),
    [
        ("open", "open.*out of memory"),
        ("warp", r"warp\(\.\.\., 0, 1\).*out of memory"),
        ("shape", r"warp\(\.\.\., 0, 1\) returned maps of shape"),
    ],
)
def test_teacher_that_fails_in_mid_stream(how: str, match: str) -> None:
    frames = toy_video(7)
    teacher, other = Unreliable(), ShiftPropagator()
    model, reference = (
        wrap(toy_segmenter(), propagator=each, config=CARRIED) for each in (teacher, other)
    )
    for each in (model, reference):
        each.adapt(frames[:4])
        each(frames[4])
    teacher.how = how
    for call in (model, model.predict):
        with pytest.raises(PropagationError, match=match):
            call(frames[5])
    # Without votes no teacher is asked, but that would be a step of the stream: not taken here.
    teacher.how = ""
    assert same(labels_of(model, frames[5:]), labels_of(reference, frames[5:]))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("how", ["open", "warp", "shape"])
def test_teacher_that_fails_while_adapting(how: str) -> None:
    frames = toy_video(7)
    teacher = Unreliable()
    model = wrap(toy_segmenter(), propagator=teacher, config=CARRIED)
    reference = wrap(toy_segmenter(), propagator=ShiftPropagator(), config=CARRIED)
    for each in (model, reference):
        each.adapt(frames[:4])
    report, teacher.how = model.report, how
    with pytest.raises(PropagationError):
        model.adapt(frames[2:6])
    assert model.report is report
    teacher.how = ""
    assert same(labels_of(model, frames[4:]), labels_of(reference, frames[4:]))


def test_teacher_that_cannot_carry_is_refused_before_anything_changes() -> None:
    frames = toy_video(5)
    model = wrap(toy_segmenter(), propagator=StillPropagator(), config=CARRIED)
    with pytest.raises(PropagationError, match="StillPropagator cannot warp"):
        model.adapt(frames[:4])
    assert model.report is None
    assert same(labels_of(model, frames), labels_of(wrap(toy_segmenter(), config=RAW), frames))


def test_which_addon_auto_stands_for() -> None:
    frames = toy_video(5)
    for teacher, config in ((StillPropagator, RESIDUAL), (ShiftPropagator, CARRIED)):
        told = replace(config, targets="masks", prompt_threshold=0.3)
        auto = replace(told, addon="auto")
        models = [wrap(toy_segmenter(), propagator=teacher(), config=c) for c in (auto, told)]
        losses = [model.adapt(frames[:4]).losses for model in models]
        assert losses[0] == losses[1] != []
        assert ("distill_addon" in losses[0][-1]) == (teacher is StillPropagator)
        first, second = (model.predict(frames[4]).probabilities for model in models)
        assert torch.equal(first, second)
        assert models[0].config is auto


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_weights_go_a_share_of_the_way(share: float) -> None:
    frames, start = toy_video(4), dict(toy_segmenter().model.named_parameters())
    weights = []
    for each in (share, 1.0):
        model = wrap(toy_segmenter(), config=replace(CARRIED, adapted_share=each))
        model.adapt(frames)
        weights.append(dict(model._stream.student.segmenter.model.named_parameters()))
    moved = 0
    for name, part in weights[0].items():
        expected = start[name].lerp(weights[1][name], share)
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-7)
        moved += int(not torch.equal(part, start[name]))
    assert moved == len(list(toy_segmenter().model.decoder.parameters()))


def test_streaming_an_image_model_asks_no_teacher() -> None:
    teacher, frames = ShiftPropagator(), toy_video(5)
    model = wrap(toy_segmenter(), propagator=teacher, config=RAW)
    labels_of(model, frames)
    assert teacher.opened == []
    for addon in ("residual", "none"):
        model.config = replace(RAW, addon=addon)
        model.adapt(frames[:3])
        opened = len(teacher.opened)
        labels_of(model, frames[3:])
        assert len(teacher.opened) == opened
    model.config = CARRIED
    model.adapt(frames[:3])
    opened = len(teacher.opened)
    labels_of(model, frames[3:])
    assert [len(video) for video in teacher.opened[opened:]] == [2, 2]
    assert teacher.closed == len(teacher.opened)
