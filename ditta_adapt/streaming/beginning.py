"""How a stream begins after its warm-up: who is judged how far, and what is remembered."""

from dataclasses import replace

from ditta_adapt.io.upload import upload
from ditta_adapt.models.parameters import device_of
from ditta_adapt.streaming.rehearsal import rehearse
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import DenseWarper


def begin_after(stream: Stream, warm_up: WarmUp, session: DenseWarper | None) -> None:
    """Take the warm-up as what a stream has seen; second looks at it are the first opinions.

    Args:
        stream: before its first frame.
        warm_up: its last frame is the frame before the next one.
        session: of the propagator on the warm-up; needed where votes are remembered.

    Raises:
        PropagationError: the propagator raised, or broke its contract, while it warped votes.
    """
    known = (warm_up, stream.config, stream.memory, session)
    if stream.judge is not None:
        opinions = {}
        for name in stream.judge.opinions:
            alone = rehearse(name, stream.student_of(name), *known, judged=True)
            opinions[name] = tuple(alone.opinions)
        stream.judge = replace(stream.judge, opinions=opinions)
    speaker = stream.speaker
    own = rehearse(speaker, stream.student_of(speaker), *known, judged=False)
    fits = own.consistencies
    if stream.monitor is not None and fits:
        stream.monitor = replace(stream.monitor, usual=sum(fits) / len(fits))
    state = StreamState(
        count=len(warm_up.frames),
        frame=upload(warm_up.frames[-1], device_of(stream.student.segmenter)),
        output=own.output if stream.student.addon is not None else None,
        votes=own.votes,
        colours=own.colours,
        monitor=stream.monitor,
        judge=stream.judge,
        plan=stream.plan,
    )
    stream.resume(state)
