"""How a stream begins after its warm-up: how long it remembers, what, and who is judged how far."""

from dataclasses import replace
from functools import partial

import torch

from ditta_adapt.config import WarpedVotes
from ditta_adapt.io.upload import upload
from ditta_adapt.models.parameters import device_of
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.rehearsal import REMEMBERED, rehearse
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.streaming.trial import Trial
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import warp_maps
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
    memory, length, trial = stream.memory, stream.length, None
    if isinstance(memory, WarpedVotes) and length is not None:
        assert session is not None
        if length.left:
            length, trial = _settled(length, warm_up, memory, session)
        memory = replace(memory, decay=length.decay)
        # Another stream is to predict frames of its own.
        stream.length = replace(length, differences=())
    known = (warm_up, stream.config, memory, session)
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
        length=length,
        trial=trial,
        monitor=stream.monitor,
        judge=stream.judge,
        plan=stream.plan,
    )
    stream.resume(state)


@torch.no_grad()
def _settled(
    length: MemoryLength, warm_up: WarmUp, memory: WarpedVotes, session: DenseWarper
) -> tuple[MemoryLength, Trial | None]:
    """The longest memory that the end of the warm-up does not refute, and its trial so far."""
    frames = range(len(warm_up.frames))[-REMEMBERED:]
    device = device_of(warm_up.segmenter)
    colours = [colours_on_grid(warm_up.frames[t].to(device), warm_up.grid) for t in frames]
    while True:
        options = replace(memory, decay=length.decay)
        trial = Trial.begin(warm_up.grid_logits(frames[0]), adapted=False)
        found: list[float] = []
        for n, t in enumerate(frames[1:]):
            warp = partial(warp_maps, session, t=t - 1, to=t)
            shown = (colours[n], colours[n + 1])
            trial = trial.next(warp, *shown, options, warm_up.grid_logits(t))
            found += trial.differences()
        tested = length.after(*found)
        if tested.halvings == length.halvings:
            # The warm-up's frames are none of the streamed ones, and are not counted again.
            return replace(length, differences=tuple(found)), replace(trial, scores=None)
        length = tested
