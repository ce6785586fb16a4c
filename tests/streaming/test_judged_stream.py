"""Second looks while streaming: they judge, are remembered, and speak for their own frame."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import Checks, Training, WarpedVotes, wrap
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import frame_output
from ditta_adapt.models.second_look import second_look
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.judge import Speaker
from ditta_adapt.streaming.frame_log import FrameLog
from ditta_adapt.streaming.memory import past_votes
from ditta_adapt.streaming.prediction import labels_at
from tests.baselines.shift_propagator import ShiftPropagator
from tests.streaming.judged import (
    CONFIG,
    LOOK,
    VIDEO,
    adapted,
    image_labels,
    image_model,
    say,
    who_spoke,
)
from tests.toys import ToyNet, ToySegmenter, toy_segmenter

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.mark.parametrize("speaker", ["image model", "memory", "adapted"])
def test_the_one_who_is_approved_speaks(speaker: Speaker) -> None:
    model = adapted()
    state = model._stream.state
    assert state is not None
    assert state.votes is not None
    past = torch.roll(state.votes, -1, dims=2)
    past[:, :, -1] = 0
    opinions = {"memory": -0.1, "adapted": -0.1}
    say(model, **(opinions | ({} if speaker == "image model" else {speaker: 0.1})))
    assert model.speaker == speaker
    found = model.predict(VIDEO[4])
    if speaker == "image model":
        assert torch.equal(found.labels, image_model(VIDEO[4]))
        return
    student = model._stream.student if speaker == "adapted" else model._stream._frozen
    with torch.no_grad():
        frames = frame_to_tensor(VIDEO[4])[None]
        encoded = student.segmenter.encode(student.segmenter.preprocess(frames))
        own = soft_votes(student.decode(encoded).logits)
    after = model._stream.state
    assert after is not None
    assert after.votes is not None
    # Where colours fit less the past counts less; the frame's own votes are there in any case.
    assert (after.votes >= own - 1e-6).all()
    assert not torch.equal(after.votes, own)


def test_a_look_judges_what_would_have_been_said() -> None:
    """The memory's opinion of the second streamed frame, by a loop of our own."""
    config = replace(CONFIG, targets=None, training=Training())
    model = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2), config=config)
    model.adapt(VIDEO[:4])
    say(model, memory=0.1)
    model(VIDEO[4])
    state = model._stream.state
    assert state is not None
    assert state.hearing is None
    before, warper = state.votes, ShiftPropagator(step=-2)
    assert before is not None
    found = model(VIDEO[5])
    state = model._stream.state
    assert state is not None
    judged = state.judge
    assert judged is not None
    assert len(judged.opinions["memory"]) == 3

    frame, segmenter = frame_to_tensor(VIDEO[5]), toy_segmenter()
    logits = frame_output(segmenter, frame).logits
    seen = second_look(segmenter, frame, logits, LOOK.scales)
    look = seen.logits
    assert look is not None
    assert seen.labels is not None
    with warper.open([VIDEO[4], VIDEO[5]]) as session:
        said = [before.argmax(0), image_labels(VIDEO[4])]
        moved = [session.warp(F.one_hot(each, 4).permute(2, 0, 1).float(), 0, 1) for each in said]
        past, _ = past_votes(
            lambda maps: session.warp(maps, 0, 1),
            before,
            colours_on_grid(frame_to_tensor(VIDEO[4]), (before.shape[1], before.shape[2])),
            colours_on_grid(frame, (before.shape[1], before.shape[2])),
            WarpedVotes(decay=1.0),
        )
    own = past + soft_votes(logits)
    labels = [own.argmax(0), logits[0].argmax(0)]
    memory, plain = agreement(labels, seen.labels, 4).tolist()
    # And of the frame before, where the look sees it now.
    known = moved[0][1]
    carried = [each.argmax(0)[known][None] for each, _ in moved]
    memory_before, plain_before = agreement(carried, seen.labels[known][None], 4).tolist()
    opinions = (memory - plain, memory_before - plain_before)
    assert opinions[0] != pytest.approx(opinions[1], abs=1e-4)
    assert judged.opinions["memory"][-1] == pytest.approx(sum(opinions) / 2, abs=1e-6)
    # And only then the look is remembered, and counts for the frame itself.
    both = own + 3 * soft_votes(look)
    torch.testing.assert_close(state.votes, both, rtol=1e-4, atol=1e-6)
    assert torch.equal(found, labels_at(both[None], (32, 40)))
    assert not torch.equal(found, labels_at(own[None], (32, 40)))


def test_a_decoder_that_was_ruined_does_not_keep_its_say() -> None:
    model = adapted()
    with torch.no_grad():
        for parameter in model._stream.student.segmenter.model.decoder[-1].parameters():
            parameter.mul_(-1)
    say(model, memory=-0.01, adapted=0.02)
    model(VIDEO[4])
    assert who_spoke(model) == "adapted"
    # The look that finds it out is at this frame.
    model(VIDEO[5])
    assert who_spoke(model) != "adapted"
    assert model.speaker == who_spoke(model)
    assert torch.equal(model.predict(VIDEO[6], fuse=False).labels, image_model(VIDEO[6]))


def test_a_look_at_a_frame_that_the_image_model_speaks_for_changes_nothing() -> None:
    model = adapted()
    say(model, memory=-0.9, adapted=-0.9)
    model(VIDEO[4])
    assert torch.equal(model(VIDEO[5]), image_model(VIDEO[5]))
    state = model._stream.state
    assert state is not None
    assert state.log == FrameLog("image model", looked=True)


def test_looks_cost_what_the_plan_says() -> None:
    segmenter = toy_segmenter()
    segmenter.preprocess(frame_to_tensor(VIDEO[0])[None])
    model = adapted(segmenter=segmenter)
    shared = model._stream._frozen.segmenter
    counts = []
    for frame in VIDEO[4:10]:
        before = shared.encoded_frames
        model(frame)
        counts.append(shared.encoded_frames - before)
    assert counts == [1, 3, 1, 3, 1, 1]
    state = model._stream.state
    assert state is not None
    assert state.plan is not None
    # 16 x 20 or larger sides: each look is a pass of a quarter and one of four.
    assert state.plan.spent == pytest.approx(2 * (state.plan.last or 0))


def test_without_checks_looks_only_refresh_the_memory() -> None:
    model = adapted(replace(CONFIG, safety=None))
    for frame in VIDEO[4:8]:
        assert model.speaker == "adapted"
        model(frame)
    state = model._stream.state
    assert state is not None
    assert state.judge is None
    assert state.plan is not None
    assert state.plan.spent > 0


def test_without_looks_nobody_judges() -> None:
    model = wrap(
        toy_segmenter(),
        propagator=ShiftPropagator(step=-2),
        config=replace(CONFIG, look=None, targets=None, training=Training()),
    )
    model.adapt(VIDEO[:4])
    assert model.speaker == "memory"
    assert wrap(toy_segmenter()).speaker == "image model"


def test_another_scene_is_heard_anew() -> None:
    model = adapted(replace(CONFIG, safety=Checks(cut=0.5, least_drift=1.0)))
    say(model, memory=0.1, adapted=0.2)
    model(VIDEO[4])
    cut = np.ascontiguousarray(255 - VIDEO[5])
    labels = model(cut)
    assert torch.equal(labels, image_model(cut))
    assert model.speaker == "image model"
    # And so is a third one, though the first is not back.
    say(model, memory=0.1, adapted=0.2)
    assert model.speaker == "memory"
    model(np.ascontiguousarray(255 - VIDEO[6]))
    assert model.speaker == "memory"
    model(np.ascontiguousarray(VIDEO[7] // 4))
    assert model.speaker == "image model"


def test_what_moves_too_fast_to_be_followed_is_no_other_scene() -> None:
    model = adapted(replace(CONFIG, safety=Checks(cut=0.5, least_drift=1.0)))
    say(model, memory=0.1, adapted=0.2)
    model(VIDEO[4])
    mirrored = np.ascontiguousarray(VIDEO[4][:, ::-1])
    before, colours = (
        colours_on_grid(frame_to_tensor(frame), (16, 20)) for frame in (VIDEO[4], mirrored)
    )
    # Else it would say nothing: colours do not fit where they are.
    assert (before - colours).abs().mean() > 2 * Checks().tolerance
    model(mirrored)
    assert model.fallback is None
    assert model.speaker == "adapted"


def test_an_error_leaves_the_stream_as_it_was() -> None:
    model = adapted()
    model(VIDEO[4])
    before = model._stream.state
    network = model._stream._frozen.segmenter.model
    handle = network.encoder.register_forward_pre_hook(fail_on_large_images)
    # The look fails at the larger size, and goes without it.
    model(VIDEO[5])
    handle.remove()
    handle = network.encoder.register_forward_pre_hook(fail)
    state = model._stream.state
    with pytest.raises(Exception, match="by intent"):
        model(VIDEO[6])
    assert model._stream.state is state
    assert state is not before
    handle.remove()
    model(VIDEO[6])


def fail(module: object, args: tuple[Tensor, ...]) -> None:
    raise RuntimeError("by intent")


def fail_on_large_images(module: object, args: tuple[Tensor, ...]) -> None:
    if args[0].shape[2] > 32:
        raise RuntimeError("by intent")


def test_only_what_the_model_can_be_shown_is_looked_at() -> None:
    """A model that takes one size, and no windows: everything works, without looks."""
    model = wrap(OneSize(), propagator=ShiftPropagator(step=-2), config=CONFIG)
    report = model.adapt(VIDEO[:4])
    assert "no second look" in report.reason
    assert model._stream.judge is None
    model(VIDEO[4])
    model(VIDEO[5])


class OneSize(ToySegmenter):
    """Raises on frames and windows of any other content than whole frames."""

    def __init__(self) -> None:
        super().__init__(ToyNet().eval())

    def preprocess(self, frames: Tensor) -> Tensor:
        if tuple(frames.shape[2:]) != (32, 40):
            raise ValueError("another size")
        return super().preprocess(frames)
