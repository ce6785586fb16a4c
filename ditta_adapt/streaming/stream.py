"""Stage D: frame after frame through a student, with what is kept from one to the next."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, WarpedVotes
from ditta_adapt.io.frames import check_stream_size, frame_size
from ditta_adapt.io.upload import upload
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import SegmenterOutput, not_finite
from ditta_adapt.ops.later import answers_late
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.safety.memory_length import MemoryLength, length_of
from ditta_adapt.streaming.candidates import Candidates
from ditta_adapt.streaming.capture import capture
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.streaming.frame_log import FrameLog
from ditta_adapt.streaming.known import NOTHING, Known
from ditta_adapt.streaming.look_plan import LookPlan
from ditta_adapt.streaming.looking import look_again
from ditta_adapt.streaming.memory import update_memory
from ditta_adapt.streaming.past import Past
from ditta_adapt.streaming.prediction import Evidence
from ditta_adapt.streaming.second_opinion import second_opinion
from ditta_adapt.streaming.speaking import has_a_say, who_speaks
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.watching import watch
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.student import Student

T = TypeVar("T")


class Stream:
    """A student, and what is kept of the frames before.

    The way of a frame: encode it, warp the memory to it, look a second time if that is due, let
    the judge and the drift monitor say who speaks, decode once, add the votes of this frame and of
    the look (or ask the attention add-on), keep the new state. One session of the propagator is
    open all the while, and only where votes are warped. Nothing here waits for a GPU: what is
    decided by numbers that it computes (another scene? all finite? who agrees with the look?) is
    decided one frame later than on a CPU.

    Args:
        student: as adapted.
        frozen: with pre-trained weights, which the drift monitor falls back to. Its encoder, which
            is the student's, encodes every frame.
        config: what the student was adapted with.
        memory: what is remembered; none to label every frame on its own.
        propagator: warps votes, where they are remembered.
        monitor, judge: before the first frame; none to watch nothing, or let the student speak.
        compile: whether models run as CUDA graphs, where they can.

    Attributes:
        adapted: whether there are other weights than the image model's.
        state: after the frame last seen; none at the start.
        length, monitor, judge, plan: as a stream begins with them.
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
        judge: Judge | None = None,
        compile: bool = False,
    ) -> None:
        assert not isinstance(memory, str)  # Decided in `resolve`.
        self.student = student
        self.adapted = student is not frozen
        self.config = config
        self.memory = memory
        self.state: StreamState | None = None
        self._frozen = frozen.compiled() if compile else frozen
        adapted = student.compiled() if compile else student
        self._running = adapted if self.adapted else self._frozen
        self._past: Past | None = None
        if isinstance(memory, WarpedVotes):
            assert propagator is not None
            self._past = Past(propagator, memory)
        # Drift is seen by the colours that are warped with the votes.
        self.monitor = monitor if self._past is not None else None
        self.judge = judge
        self.length = length_of(config, memory)
        self.plan = None if config.look is None else LookPlan(config.look)
        self._attends = self.student.addon is not None

    @property
    def speaker(self) -> Speaker:
        """Whose labels the next frame gets, unless it shows another scene or is looked at twice."""
        known = self.state
        if known is None:
            return self._speaking(self.judge, self.monitor, self.length)
        return self._speaking(known.judged, known.watched, known.remembering)

    def __str__(self) -> str:
        adapted = "adapted" if self.adapted else "not adapted"
        return f"{adapted}, {0 if self.state is None else self.state.count} frames seen"

    def compile(self, frame: UInt8[Tensor, "3 H W"]) -> str:
        """Run both models on a frame, see `capture`."""
        return capture((self._frozen, self._running), frame)

    def resume(self, state: StreamState) -> None:
        """Take a state as that after the frame before the next one.

        Raises:
            PropagationError: the propagator raised when what came before was closed.
        """
        self.state = state
        if self._past is not None:
            self._past.begin(state.frame)

    def step(
        self,
        frame: UInt8[Tensor, "3 H W"],
        answer: Callable[[Evidence], T],
        *,
        fuse: bool = True,
        known: Known = NOTHING,
    ) -> T:
        """The answer for the next frame; its state is kept once there is one.

        Args:
            frame: the next one.
            answer: made of all that speaks for the frame's classes.
            fuse: whether the past counts; without, the answer is the decoder's alone, and votes
                are counted anew from this frame on.
            known: of the frame already.

        Raises:
            ShapeError: another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised, or broke its contract, while it warped votes.

        Whatever is raised, the state is as before; only what a GPU found not to be finite in the
        frame before is forgotten.
        """
        before = self.state
        check_stream_size(frame, None if before is None else before.size)
        if before is not None and before.finite is not None and not all(before.finite.read()):
            self.clear()
            raise not_finite("logits or features", "of the frame before this one")
        try:
            with torch.no_grad():
                shown = upload(frame, device_of(self._frozen.segmenter))
                result, state = self._step(before, shown, answer, fuse, known)
        except BaseException:
            if self._past is not None and before is not None:
                self._past.begin_again(before.frame)
            raise
        self.state = state
        return result

    def clear(self) -> None:
        """Forget the frames seen; the propagator's session is closed."""
        self.state = None
        self.close()

    def close(self) -> None:
        """End the stream: close the propagator's session."""
        if self._past is not None:
            self._past.close()

    def _step(
        self,
        before: StreamState | None,
        frame: UInt8[Tensor, "3 H W"],
        answer: Callable[[Evidence], T],
        fuse: bool,
        known: Known,
    ) -> tuple[T, StreamState]:
        if self._past is not None:
            self._past.begin(frame) if before is None else self._past.show(frame)
        before = before or self._beginning(frame)
        encoded = known.encoded
        if encoded is None:
            encoded = encode_frame(self._frozen.segmenter, frame)
        decodings = Decodings(encoded)

        def output_of(speaker: Speaker) -> SegmenterOutput:
            return decodings.of(self.student_of(speaker))

        past = colours = fit = None
        length = before.remembering
        if self._past is not None and length is not None:
            past, colours, fit = self._past.look_back(before, frame, length.decay, warp=fuse)
        watched = watch(before, frame, colours, fit)
        monitor, cut = watched.monitor, watched.cut
        past = None if watched.changed else past
        length = length_of(self.config, self.memory) if cut else length
        judge = before.judged
        judge = judge.forgetting() if judge is not None and cut else judge
        plan = before.plan
        if plan is not None and not known.taught:
            plan = plan.next(cut=cut)
        addon, last = self.student.addon, before.output
        heeded = fuse and has_a_say(length, judge)
        candidates = Candidates(self.config, self.memory, addon, past, last, heeded)
        looked, seen, hearing = known.votes, None, None
        if plan is not None and plan.due and fuse and not known.taught:
            carried = None
            if self._past is not None and past is not None:
                carried = self._past.carry(before.said, self._frozen.segmenter.num_classes)
            said = candidates.all_say(judge, output_of)
            seen, hearing = look_again(frame, plan.options, self._frozen, decodings, said, carried)
            plan = plan.after(seen.passes)
            looked = None if seen.logits is None else seen.votes()
            if hearing is not None and judge is not None and not answers_late(frame):
                judge, hearing = hearing.verdict(judge), None
        speaker = self._speaking(judge, monitor, length)
        student = self.student_of(speaker)
        asked = monitor if judge is None else None
        opinion = second_opinion(asked, decodings, self._running, self._frozen)
        if opinion is not None and monitor is not None and not answers_late(frame):
            monitor, opinion = monitor.with_second_opinion(*opinion.read()), None
        # If the next frame is decoded by other weights, these are to remember their own.
        next_student = self.student_of(self._speaking(judge, monitor, length))
        evidence = candidates.evidence(speaker, output_of(speaker), frame_size(frame), looked)
        evidence = replace(evidence, image_model=lambda: output_of("image model").logits)
        trial = None
        if self._past is not None and length is not None:
            length, trial = self._past.tried(
                before,
                length,
                colours,
                decodings.of(next_student).logits,
                adapted=self.adapted and next_student is self._running,
                judged=judge is not None,
                goes_on=fuse and not watched.changed,
            )
            if trial is not None and known.taught:
                # The length was tested on these frames before.
                trial = replace(trial, scores=None)
        votes = None
        if self._past is not None:
            votes = update_memory(
                past if next_student is student else None,
                soft_votes(decodings.of(next_student).logits),
                looked,
            )
            if colours is None:
                colours = colours_on_grid(frame, (votes.shape[1], votes.shape[2]))
        said = None
        if votes is not None and plan is not None and plan.next().due:
            said = candidates.all_say(judge, output_of, looked)
        return answer(evidence), StreamState(
            count=before.count + 1,
            frame=frame,
            output=decodings.of(next_student) if self._attends else None,
            log=FrameLog(speaker, cut, seen is not None),
            votes=votes,
            colours=colours,
            length=length,
            trial=trial,
            monitor=monitor,
            judge=judge,
            hearing=hearing,
            plan=plan,
            said=said,
            sighting=watched.sighting,
            opinion=opinion,
            finite=decodings.finite,
        )

    def _beginning(self, frame: UInt8[Tensor, "3 H W"]) -> StreamState:
        """What the first frame finds in place of what is kept."""
        return StreamState(
            count=0,
            frame=frame,
            length=self.length,
            monitor=self.monitor,
            judge=self.judge,
            plan=self.plan,
        )

    def _speaking(
        self, judge: Judge | None, monitor: DriftMonitor | None, length: MemoryLength | None
    ) -> Speaker:
        return who_speaks(judge, monitor, length, adapted=self.adapted)

    def student_of(self, speaker: Speaker) -> Student:
        """Who decodes for a candidate."""
        return self._running if speaker == "adapted" else self._frozen
