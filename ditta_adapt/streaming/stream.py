"""Stage D: frame after frame through a student, with what is kept from one to the next."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, WarpedVotes
from ditta_adapt.errors import PropagationError
from ditta_adapt.io.frames import check_stream_size, frame_size
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.second_look import second_look
from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.disagreement import logits_disagreement
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.candidates import Candidates
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.streaming.hearing import hear
from ditta_adapt.streaming.look_plan import LookPlan
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.streaming.prediction import Evidence
from ditta_adapt.streaming.rehearsal import rehearse
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.live_warper import LiveWarper
from ditta_adapt.teachers.propagator import DenseWarper, Propagator
from ditta_adapt.training.student import Student

T = TypeVar("T")


class Stream:
    """A student, and what is kept of the frames before.

    The way of a frame: warp the memory to it, let the judge and the drift monitor say who speaks,
    decode once, add this frame's votes (or ask the attention add-on), look a second time if that
    is due, keep the new state. One session of the propagator is open all the while, and only where
    votes are warped.

    Args:
        student: as adapted.
        frozen: the same model with pre-trained weights, which the drift monitor falls back to. Its
            encoder, the same as the student's, encodes every frame.
        config: what the student was adapted with.
        memory: what is remembered; none to label every frame on its own.
        propagator: warps votes, where they are remembered.
        monitor: before the first frame; none to watch nothing.
        judge: likewise, decides by second looks who speaks; none to let the student speak.

    Attributes:
        state: after the frame last seen; none at the start.
        monitor: as a stream begins with it.
        judge: likewise.
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
        self.judge = judge
        self._plan = None if config.look is None else LookPlan(config.look)
        self._warper: LiveWarper | None = None
        if self._votes is not None:
            assert propagator is not None
            self._warper = LiveWarper(propagator)

    @property
    def adapted(self) -> bool:
        """Whether there are other weights than the image model's."""
        return self.student is not self._frozen

    @property
    def speaker(self) -> Speaker:
        """Whose labels the next frame gets, unless it is of another scene."""
        judge, monitor = self.judge, self.monitor
        if self.state is not None:
            judge, monitor = self.state.judged, self.state.monitor
        return self._speaking(judge, monitor)[0]

    @property
    def summary(self) -> str:
        """Whether it is adapted, and how many frames came."""
        adapted = "adapted" if self.adapted else "not adapted"
        return f"{adapted}, {0 if self.state is None else self.state.count} frames seen"

    def begin_after(self, warm_up: WarmUp, session: DenseWarper | None) -> None:
        """Take the warm-up as what was seen so far; second looks at it are the first opinions.

        Args:
            warm_up: its last frame is the frame before the next one.
            session: of the propagator on the warm-up; needed where votes are remembered.

        Raises:
            PropagationError: the propagator raised, or broke its contract, while it warped votes.
        """
        names: tuple[Speaker, ...] = (self.speaker,)
        if self.judge is not None and self.judge.opinions:
            names = tuple(self.judge.opinions)
        with torch.no_grad():
            done = {
                name: rehearse(
                    name, self._student_of(name), warm_up, self.config, self.memory, session
                )
                for name in names
            }
        if self.judge is not None and self.judge.opinions:
            opinions = {name: tuple(done[name].opinions) for name in names}
            self.judge = replace(self.judge, opinions=opinions)
        fits = done[names[0]].consistencies
        if self.monitor is not None and fits:
            self.monitor = replace(self.monitor, usual=sum(fits) / len(fits))
        speaker = self._speaking(self.judge, None)[0]
        # Where the image model speaks, nobody has decoded for it alone; any candidate's will do.
        own = done.get(speaker, done[names[0]])
        self.state = StreamState(
            count=len(warm_up.frames),
            frame=warm_up.frames[-1],
            output=own.output,
            votes=own.votes,
            monitor=self.monitor,
            judge=self.judge,
            plan=self._plan,
        )
        if self._warper is not None:
            self._warper.start(warm_up.frames[-1])

    def step(
        self,
        frame: UInt8[Tensor, "3 H W"],
        answer: Callable[[Evidence], T],
        *,
        fuse: bool = True,
        encoded: Encoded | None = None,
        look: bool = True,
    ) -> T:
        """The answer for the next frame; its state is kept once there is one.

        Args:
            frame: the next one.
            answer: made of all that speaks for the frame's classes.
            fuse: whether the past counts; without, the answer is the decoder's alone, and votes
                are counted anew from this frame on.
            encoded: of the frame, by the frozen encoder, if that is known already.
            look: whether the frame counts for the plan of second looks.

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
                result, state = self._step(before, frame, answer, fuse, encoded, look)
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
        look: bool,
    ) -> tuple[T, StreamState]:
        past, monitor, cut = self._look_back(before, frame, fuse)
        judge = self.judge if before is None else before.judged
        judge = judge.forgetting() if judge is not None and cut else judge
        plan = self._plan if before is None else before.plan
        plan = plan.next(cut=cut) if plan is not None and look else plan
        if encoded is None:
            encoded = encode_frame(self._frozen.segmenter, frame)
        decodings = Decodings(encoded)
        speaker, student = self._speaking(judge, monitor)
        if judge is None:
            monitor = self._second_opinion(monitor, decodings)
        # If the next frame is decoded by other weights, these are to remember their own.
        next_student = self._speaking(judge, monitor)[1]
        last = None if before is None else before.output
        candidates = Candidates(self.config, self.memory, self.student.addon, past, last, fuse)
        evidence = candidates.evidence(speaker, decodings.of(student), frame_size(frame))
        votes = hearing = None
        if self._votes is not None:
            votes = update_memory(
                past if next_student is student else None,
                soft_votes(decodings.of(next_student).logits),
            )
        if plan is not None and plan.due and look and fuse:
            usual = decodings.of(self._frozen)
            seen = second_look(self._frozen.segmenter, frame, usual.logits, plan.options.scales)
            plan = plan.after(seen.passes)
            if seen.labels is not None and judge is not None:
                names: tuple[Speaker, ...] = ("image model", *judge.opinions)
                outputs = {name: decodings.of(self._student_of(name)) for name in names}
                hearing = hear(outputs, candidates, seen.labels)
            if seen.logits is not None and votes is not None:
                votes = votes + seen.votes()
        return answer(evidence), StreamState(
            count=1 if before is None else before.count + 1,
            frame=frame,
            output=decodings.of(next_student),
            votes=votes,
            monitor=monitor,
            judge=judge,
            hearing=hearing,
            plan=plan,
        )

    def _look_back(
        self, before: StreamState | None, frame: UInt8[Tensor, "3 H W"], fuse: bool
    ) -> tuple[Float[Tensor, "C h w"] | None, DriftMonitor | None, bool]:
        """What the memory says of a frame, what colours say of the scene, and if it changed."""
        monitor = self.monitor if before is None else before.monitor
        if self._votes is None or self._warper is None:
            return None, monitor, False
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
            return past, None, False
        frame_before = None if before is None else before.frame
        after = monitor.after(frame_before, frame, consistency)
        # Where colours of another scene fit, they do so by chance.
        cut = (after.left is None) != (monitor.left is None)
        return None if cut else past, after, cut

    def _speaking(
        self, judge: Judge | None, monitor: DriftMonitor | None
    ) -> tuple[Speaker, Student]:
        """Who speaks, and who decodes for them."""
        alarmed = monitor is not None and monitor.alarm is not None
        speaker: Speaker
        if judge is not None:
            speaker = judge.without("adapted").speaker if alarmed else judge.speaker
        elif self.adapted and not alarmed:
            speaker = "adapted"
        else:
            speaker = "image model" if self._votes is None else "memory"
        return speaker, self._student_of(speaker)

    def _student_of(self, speaker: Speaker) -> Student:
        return self.student if speaker == "adapted" else self._frozen

    def _second_opinion(
        self, monitor: DriftMonitor | None, decodings: Decodings
    ) -> DriftMonitor | None:
        """The monitor, after both weights spoke if that is due; where nobody judges."""
        if monitor is None or not self.adapted or not monitor.wants_second_opinion:
            return monitor
        adapted, frozen = decodings.of(self.student), decodings.of(self._frozen)
        part, whole = logits_disagreement(adapted.logits, frozen.logits)
        return monitor.with_second_opinion(part / whole)
