"""Stage D: frame after frame through a student, with what is kept from one to the next."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, WarpedVotes
from ditta_adapt.errors import PropagationError
from ditta_adapt.io.frames import check_stream_size, frame_size
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.segmenter import Encoded, SegmenterOutput, check_output
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.disagreement import logits_disagreement
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.streaming.prediction import Evidence
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.live_warper import LiveWarper
from ditta_adapt.teachers.propagator import DenseWarper, Propagator
from ditta_adapt.training.student import Student

T = TypeVar("T")

# Warm-up frames whose votes count in the first streamed frame; older ones would hardly.
_REMEMBERED = 8


class Stream:
    """A student, and what is kept of the frames before.

    The way of a frame: warp the memory to it, let the drift monitor pick the weights by how well
    colours fit, decode once, add this frame's votes (or ask the attention add-on), keep the new
    state. One session of the propagator is open all the while, and only where votes are warped.

    Args:
        student: as adapted.
        frozen: the same model with pre-trained weights, which the drift monitor falls back to. Its
            encoder, the same as the student's, encodes every frame.
        config: what the student was adapted with.
        memory: what is remembered; none to label every frame on its own.
        propagator: warps votes, where they are remembered.
        monitor: before the first frame; none to watch nothing.

    Attributes:
        state: after the frame last seen; none at the start.
        monitor: as a stream begins with it.
    """

    def __init__(
        self,
        student: Student,
        frozen: Student,
        config: AdaptConfig,
        *,
        memory: WarpedVotes | AttentionAddon | str | None = None,
        propagator: Propagator | None = None,
        monitor: DriftMonitor | None = None,
    ) -> None:
        assert not isinstance(memory, str)  # Decided in `resolve`.
        self.student = student
        self.config = config
        self.memory = memory
        self.state: StreamState | None = None
        self._frozen = frozen
        self._votes = memory if isinstance(memory, WarpedVotes) else None
        # Drift is seen by the colours that are warped with the votes.
        self.monitor = monitor if self._votes is not None else None
        self._warper: LiveWarper | None = None
        if self._votes is not None:
            assert propagator is not None
            self._warper = LiveWarper(propagator)

    @property
    def adapted(self) -> bool:
        """Whether there are other weights than the image model's."""
        return self.student is not self._frozen

    @property
    def summary(self) -> str:
        """Whether it is adapted, and how many frames came."""
        adapted = "adapted" if self.adapted else "not adapted"
        return f"{adapted}, {0 if self.state is None else self.state.count} frames seen"

    def begin_after(self, warm_up: WarmUp, session: DenseWarper | None) -> None:
        """Take the warm-up as what was seen so far.

        Args:
            warm_up: its last frame is the frame before the next one.
            session: of the propagator on the warm-up; needed where votes are remembered.

        Raises:
            PropagationError: the propagator raised, or broke its contract, while it warped votes.
        """
        frames, end = warm_up.frames, len(warm_up.frames)
        first = end - 1 if self._votes is None else max(end - _REMEMBERED, 0)
        votes: Tensor | None = None
        consistencies: list[float] = []
        with torch.no_grad():
            for t in range(first, end):
                output = self.student.decode(warm_up.encodings[t])
                if self._votes is not None:
                    assert session is not None
                    past = None
                    if votes is not None:
                        warp = partial(warp_maps, session, t=t - 1, to=t)
                        past, fit = past_votes(warp, votes, frames[t - 1], frames[t], self._votes)
                        consistencies.append(fit)
                    votes = update_memory(past, soft_votes(output.logits))
        if self.monitor is not None and consistencies:
            usual = sum(consistencies) / len(consistencies)
            self.monitor = replace(self.monitor, usual=usual)
        self.state = StreamState(end, frames[-1], output, votes, self.monitor)
        if self._warper is not None:
            self._warper.start(frames[-1])

    def step(
        self,
        frame: UInt8[Tensor, "3 H W"],
        answer: Callable[[Evidence], T],
        *,
        fuse: bool = True,
        encoded: Encoded | None = None,
    ) -> T:
        """The answer for the next frame; its state is kept once there is one.

        Args:
            frame: the next one.
            answer: made of all that speaks for the frame's classes.
            fuse: whether the past counts; without, the answer is the decoder's alone, and votes
                are counted anew from this frame on.
            encoded: of the frame, by the frozen encoder, if that is known already.

        Raises:
            ShapeError: another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised, or broke its contract, while it warped votes.

        Whatever is raised, the state is as before.
        """
        before = self.state
        check_stream_size(frame, None if before is None else before.size)
        try:
            with torch.no_grad():
                result, state = self._step(before, frame, answer, fuse, encoded)
        except BaseException:
            if self._warper is not None and before is not None:
                # The session may have gone on to this frame, or be broken; what matters is why.
                with suppress(PropagationError):
                    self._warper.start(before.frame)
            raise
        self.state = state
        return result

    def clear(self) -> None:
        """Forget the frames seen; the propagator's session is closed."""
        self.state = None
        self.close()

    def close(self) -> None:
        """End the stream: close the propagator's session."""
        if self._warper is not None:
            self._warper.close()

    def _step(
        self,
        before: StreamState | None,
        frame: UInt8[Tensor, "3 H W"],
        answer: Callable[[Evidence], T],
        fuse: bool,
        encoded: Encoded | None,
    ) -> tuple[T, StreamState]:
        past, monitor = self._look_back(before, frame, fuse)
        if encoded is None:
            encoded = encode_frame(self._frozen.segmenter, frame)
        alarmed = monitor is not None and monitor.alarm is not None
        output = kept = self._decode(self._frozen if alarmed else self.student, encoded)
        if monitor is not None and monitor.wants_second_opinion:
            other = self._decode(self.student if alarmed else self._frozen, encoded)
            adapted, frozen = (other, output) if alarmed else (output, other)
            part, whole = logits_disagreement(adapted.logits, frozen.logits)
            monitor = monitor.with_second_opinion(part / whole)
            if (monitor.alarm is not None) != alarmed:
                # The next frame is decoded by the other weights, which are to remember their own.
                kept = other
        second = votes = None
        if self._votes is not None:
            votes = update_memory(past, soft_votes(output.logits))
        elif fuse and self.student.addon is not None and before is not None:
            last = before.output
            second = self.student.addon(output.features, last.features, last.logits)
        attention = self.memory if isinstance(self.memory, AttentionAddon) else None
        evidence = Evidence(
            size=frame_size(frame),
            logits=output.logits,
            addon_logits=second,
            votes=votes if fuse else None,
            normalizer=self.config.reliability_normalizer,
            threshold=attention.fusion_threshold if attention is not None else 0.0,
        )
        if votes is not None and kept is not output:
            votes = soft_votes(kept.logits)
        count = 1 if before is None else before.count + 1
        return answer(evidence), StreamState(count, frame, kept, votes, monitor)

    def _look_back(
        self, before: StreamState | None, frame: UInt8[Tensor, "3 H W"], fuse: bool
    ) -> tuple[Float[Tensor, "C h w"] | None, DriftMonitor | None]:
        """What the memory says about a frame, and what its colours say about the scene."""
        monitor = self.monitor if before is None else before.monitor
        if self._votes is None or self._warper is None:
            return None, monitor
        past, consistency = None, 1.0
        if before is None:
            self._warper.start(frame)
        else:
            self._warper.advance(frame)
            if fuse and before.votes is not None:
                past, consistency = past_votes(
                    self._warper.warp, before.votes, before.frame, frame, self._votes
                )
        if monitor is None:
            return past, None
        frame_before = None if before is None else before.frame
        after = monitor.after(frame_before, frame, consistency)
        # Where colours of another scene fit, they do so by chance.
        same_scene = (after.left is None) == (monitor.left is None)
        return past if same_scene else None, after

    def _decode(self, student: Student, encoded: Encoded) -> SegmenterOutput:
        output = student.decode(encoded)
        check_output(output, student.segmenter.num_classes, student.segmenter.feature_dim)
        return output
