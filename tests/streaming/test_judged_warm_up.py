"""Second looks at the warm-up: they judge it, and are remembered."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import CacheBudget, CheckpointError, Training, WarpedVotes, wrap
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import frame_output
from ditta_adapt.models.second_look import second_look
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.streaming.frame_log import FrameLog
from ditta_adapt.streaming.memory import past_votes
from ditta_adapt.streaming.prediction import labels_at
from tests.baselines.shift_propagator import ShiftPropagator
from tests.streaming.judged import CONFIG, LOOK, VIDEO, adapted
from tests.toys import toy_segmenter

pytestmark = pytest.mark.usefixtures("trusted")


def test_looks_at_the_warm_up_are_remembered_when_it_is_labelled() -> None:
    """Whole videos begin with the frames that taught; nobody looks at them again."""
    config = replace(CONFIG, targets=None, training=Training(), safety=None)
    segmenter = toy_segmenter()
    model = wrap(segmenter, propagator=ShiftPropagator(step=-2), config=config)
    labels = next(model.segment(VIDEO[:5], warmup=4))
    frame = frame_to_tensor(VIDEO[0])
    logits = frame_output(segmenter, frame).logits
    look = second_look(segmenter, frame, logits, LOOK.warmup_scales)
    # Looks are kept in 16 bits.
    expected = soft_votes(logits) + 3 * soft_votes(look.logits.half())
    state = model._stream.state
    assert state is not None
    torch.testing.assert_close(state.votes, expected)
    assert state.log == FrameLog("memory")
    assert torch.equal(labels, labels_at(expected[None], (32, 40)))
    assert not torch.equal(labels, labels_at(logits, (32, 40)))


def test_looks_at_the_warm_up_that_were_not_kept_are_not_taken_again() -> None:
    config = replace(CONFIG, targets=None, training=Training(), safety=None)
    segmenter, frame = toy_segmenter(), frame_to_tensor(VIDEO[0])
    model = wrap(
        segmenter,
        propagator=ShiftPropagator(step=-2),
        config=config,
        cache=CacheBudget(device_bytes=0, cpu_bytes=0),
    )
    next(model.segment(VIDEO[:5], warmup=4))
    state = model._stream.state
    assert state is not None
    expected = soft_votes(frame_output(segmenter, frame).logits)
    torch.testing.assert_close(state.votes, expected)


def test_the_warm_up_is_the_first_to_be_heard() -> None:
    model = adapted()
    state = model._stream.state
    assert state is not None
    assert state.judge is not None
    # Of four frames, the first has nothing to remember.
    assert {name: len(found) for name, found in state.judge.opinions.items()} == {
        "memory": 3,
        "adapted": 3,
    }
    alone = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2), config=CONFIG)
    alone.adapt(VIDEO[:1])
    assert alone.speaker == "image model"


def test_the_warm_up_is_judged_as_a_stream_without_looks() -> None:
    """The memory's opinions on three frames, by a loop of our own that remembers no look."""
    state = adapted()._stream.state
    assert state is not None
    assert state.judge is not None
    frames, segmenter = [frame_to_tensor(frame) for frame in VIDEO[:4]], toy_segmenter()
    logits = [frame_output(segmenter, frame).logits for frame in frames]
    grid = (logits[0].shape[2], logits[0].shape[3])
    colours = [colours_on_grid(frame, grid) for frame in frames]
    votes = soft_votes(logits[0])
    said = [votes.argmax(0), logits[0][0].argmax(0)]
    opinions = []
    with ShiftPropagator(step=-2).open(VIDEO[:4]) as session:
        for t in range(1, 4):
            warp = partial(session.warp, t=t - 1, to=t)
            past, _ = past_votes(warp, votes, colours[t - 1], colours[t], WarpedVotes(decay=1.0))
            moved = [warp(F.one_hot(each, 4).permute(2, 0, 1).float()) for each in said]
            votes = past + soft_votes(logits[t])
            said = [votes.argmax(0), logits[t][0].argmax(0)]
            look = second_look(segmenter, frames[t], logits[t], LOOK.warmup_scales).labels
            known = moved[0][1]
            carried = [each.argmax(0)[known][None] for each, _ in moved]
            now = agreement(said, look, 4).tolist()
            before = agreement(carried, look[known][None], 4).tolist()
            opinions.append((now[0] - now[1] + before[0] - before[1]) / 2)
    assert any(abs(opinion) > 0.001 for opinion in opinions)
    assert state.judge.opinions["memory"] == pytest.approx(opinions, abs=1e-5)


def test_what_was_heard_in_the_warm_up_is_saved(tmp_path: Path) -> None:
    model = adapted()
    model.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2))
    loaded.load_pretrained(tmp_path)
    assert loaded._stream.judge == model._stream.judge
    assert loaded.config == model._stream.config
    path = tmp_path / "config.json"
    text = path.read_text()
    for wrong in ('{"memory": [2.0]}', '{"somebody": [0.1]}', "3"):
        start = text.index('"opinions": ')
        end = text.index('"config"')
        path.write_text(f'{text[:start]}"opinions": {wrong},\n  {text[end:]}')
        with pytest.raises(CheckpointError):
            loaded.load_pretrained(tmp_path)
    assert loaded._stream.judge == model._stream.judge
