"""Streaming with votes of past frames, and propagators that fail at it."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import (
    AttentionAddon,
    Frame,
    MaskVote,
    PropagationError,
    Training,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.teachers.checked_calls import warp_maps
from tests.baselines.shift_propagator import ShiftPropagator, ShiftSession
from tests.test_video_segmenter import (
    RAW,
    RESIDUAL,
    WARPED,
    decoded,
    labels_of,
    same,
)
from tests.toys import StillPropagator, toy_segmenter, toy_video


def loop(
    model: VideoSegmenter, teacher: Any, frames: list[np.ndarray], options: WarpedVotes
) -> list[Tensor]:
    """The votes after every frame, all frames open at once, and written down plainly."""
    votes: list[Tensor] = []
    tensors = [torch.from_numpy(frame).permute(2, 0, 1) for frame in frames]
    with teacher.open(frames) as session:
        for t, frame in enumerate(frames):
            past = None
            if t > 0:
                warp = partial(warp_maps, session, t=t - 1, to=t)
                grid = (votes[-1].shape[1], votes[-1].shape[2])
                colours = [colours_on_grid(each, grid) for each in tensors[t - 1 : t + 1]]
                past, _ = past_votes(warp, votes[-1], colours[0], colours[1], options)
            votes.append(update_memory(past, soft_votes(decoded(model, frame))))
    return votes


def at_frame_size(votes: Tensor, frame: np.ndarray) -> Tensor:
    return F.interpolate(votes[None], frame.shape[:2], mode="bilinear", align_corners=False)[0]


TEACHERS: dict[str, Callable[[], Any]] = {
    "shift": ShiftPropagator,
    "flow": OpticalFlowPropagator,
}


@pytest.mark.parametrize("make_teacher", TEACHERS.values(), ids=TEACHERS)
class TestVotesOfPastFrames:
    OPTIONS = WarpedVotes(decay=0.7, tolerance=0.2)
    CONFIG = replace(RAW, memory=OPTIONS, training=Training(learning_rate=1e-3))

    def adapted(self, teacher: Any, frames: list[np.ndarray]) -> VideoSegmenter:
        model = wrap(toy_segmenter(), propagator=teacher, config=self.CONFIG)
        assert model.adapt(frames).adapted
        return model

    def test_labels_are_those_of_a_plain_loop(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(9)
        model = self.adapted(make_teacher(), frames[:4])
        expected = loop(model, make_teacher(), frames, self.OPTIONS)[4:]
        changed = 0
        for frame, votes in zip(frames[4:], expected, strict=True):
            labels = model(frame)
            assert torch.equal(labels, at_frame_size(votes, frame).argmax(0))
            own = soft_votes(decoded(model, frame))
            changed += int((labels != at_frame_size(own, frame).argmax(0)).sum())
        assert changed > 0

    def test_probabilities_are_shares_of_the_votes(self, make_teacher: Callable[[], Any]) -> None:
        frames = toy_video(8)
        model = self.adapted(make_teacher(), frames[:4])
        expected = loop(model, make_teacher(), frames, self.OPTIONS)[4:]
        for frame, counted in zip(frames[4:], expected, strict=True):
            prediction = model.predict(frame)
            votes = at_frame_size(counted, frame)
            torch.testing.assert_close(prediction.probabilities, votes / votes.sum(0))
            total = prediction.probabilities.sum(0)
            torch.testing.assert_close(total, torch.ones_like(total))

    def test_only_the_last_frames_of_a_long_warmup_are_remembered(
        self, make_teacher: Callable[[], Any]
    ) -> None:
        frames = toy_video(11, size=(24, 30))
        model = self.adapted(make_teacher(), frames[:10])
        expected = loop(model, make_teacher(), frames[2:], self.OPTIONS)[-1]
        prediction = model.predict(frames[10])
        votes = at_frame_size(expected, frames[10])
        torch.testing.assert_close(prediction.probabilities, votes / votes.sum(0))

    def test_the_past_matters(self, make_teacher: Callable[[], Any]) -> None:
        """Of two streams that end alike, the one that began otherwise is labelled otherwise."""
        frames = toy_video(6)
        model = self.adapted(make_teacher(), frames[:4])
        continued = model.predict(frames[4]).probabilities
        model.clear_memory()
        cut = model.predict(frames[4]).probabilities
        (alone,) = loop(model, make_teacher(), frames[4:5], self.OPTIONS)
        votes = at_frame_size(alone, frames[4])
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
            honest = session.warp

            def warp(maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
                if self.how == "warp":
                    raise RuntimeError("out of memory")
                if self.how == "shape":
                    return maps[:, 1:], torch.ones(1, 1).bool()
                return honest(maps, t, to)

            session.warp = warp
            yield session


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("how", "match"),
    [
        ("open", "open.*out of memory"),
        ("warp", r"warp\(\.\.\., 1, 2\).*out of memory"),
        ("shape", r"warp\(\.\.\., 1, 2\) returned maps of shape"),
    ],
)
def test_teacher_that_fails_in_mid_stream(how: str, match: str) -> None:
    frames = toy_video(7)
    teacher, other = Unreliable(), ShiftPropagator()
    model, reference = (
        wrap(toy_segmenter(), propagator=each, config=WARPED) for each in (teacher, other)
    )
    for each in (model, reference):
        each.adapt(frames[:4])
        each(frames[4])
    teacher.how = how
    if how == "open":
        # Asked again only where there is no session.
        for each in (model, reference):
            each.clear_memory()
            each(frames[4])
    with pytest.raises(PropagationError, match=match):
        model(frames[5])
    # There is a new session after an error, so the frames are counted anew.
    with pytest.raises(PropagationError):
        model.predict(frames[5])
    # Without votes no teacher is asked, but that would be a step of the stream: not taken here.
    teacher.how = ""
    assert same(labels_of(model, frames[5:]), labels_of(reference, frames[5:]))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("how", ["open", "warp", "shape"])
def test_teacher_that_fails_while_adapting(how: str) -> None:
    frames = toy_video(7)
    teacher = Unreliable()
    model = wrap(toy_segmenter(), propagator=teacher, config=WARPED)
    reference = wrap(toy_segmenter(), propagator=ShiftPropagator(), config=WARPED)
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
    model = wrap(toy_segmenter(), propagator=StillPropagator(), config=WARPED)
    with pytest.raises(PropagationError, match="StillPropagator cannot warp"):
        model.adapt(frames[:4])
    assert model.report is None
    assert same(labels_of(model, frames), labels_of(wrap(toy_segmenter(), config=RAW), frames))


def test_which_memory_auto_stands_for() -> None:
    frames = toy_video(5)
    for teacher, config in ((StillPropagator, RESIDUAL), (ShiftPropagator, WARPED)):
        told = replace(config, targets=MaskVote(prompt_threshold=0.3))
        auto = replace(told, memory="auto")
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
        model = wrap(toy_segmenter(), config=replace(WARPED, training=Training(adapted_share=each)))
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
    for memory in (AttentionAddon(), None):
        model.config = replace(RAW, memory=memory)
        model.adapt(frames[:3])
        opened = len(teacher.opened)
        labels_of(model, frames[3:])
        assert len(teacher.opened) == opened
    model.config = WARPED
    model.adapt(frames[:3])
    opened = len(teacher.opened)
    labels_of(model, frames[3:])
    # One session for the whole stream, on a video that grows.
    assert len(teacher.opened) == opened + 1
    model.clear_memory()
    assert teacher.closed == len(teacher.opened)
