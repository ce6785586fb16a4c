"""A memory that predicts worse than the last frame alone is made shorter, and no other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_adapt import AdaptConfig, SecondLook, SelfLabels, Training, WarpedVotes, wrap
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.trial import Trial
from tests.streaming.shades import (
    CONFIG,
    ENDLESS,
    FRAMES,
    Shades,
    after,
    length,
    model_of,
    state_of,
    video,
)


def test_the_warm_up_settles_it() -> None:
    # A steady model along a warp that goes astray, by two columns a frame.
    model = model_of(0.0, -1)
    report = model.adapt(FRAMES[:8])
    assert length(model).decay == pytest.approx(0.8**4)
    assert "a quarter as long as asked for (a vote weighs 0.41" in str(report)
    # One that wavers, along a warp that is right.
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:8])
    settled = length(model)
    assert settled.decay == 0.8
    # Seven frames are predicted, the first of them by the frame before it alone.
    assert len(settled.differences) == 6
    assert np.mean(settled.differences) > 0.01


def test_the_differences_are_those_of_a_plain_loop() -> None:
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:6])
    own, soft = Shades(0.6), []
    for frame in FRAMES[:6]:
        image = torch.from_numpy(frame).permute(2, 0, 1)[None]
        logits = own.decode(own.encode(own.preprocess(image))).logits[0]
        shares = logits.detach().double().softmax(dim=0).numpy()
        entropy = -(shares * np.log(shares + 1e-30)).sum(0)
        soft.append(shares * (1 - entropy / np.log(2)))
    votes, expected = soft[0], []
    inside = np.arange(60) > 0
    for now, before in zip(soft[1:], soft, strict=False):
        truth = now.argmax(0)[:, inside]
        scores = []
        for source in (votes.argmax(0), before.argmax(0)):
            carried = np.roll(source, 1, axis=1)[:, inside]
            areas = [max((carried == c).sum(), (truth == c).sum()) for c in range(2)]
            iou = [
                ((carried == c) & (truth == c)).sum() / ((carried == c) | (truth == c)).sum()
                for c in range(2)
            ]
            scores.append((iou, areas))
        weight = np.sqrt(np.maximum(scores[0][1], scores[1][1]))
        memory, alone = (np.average(iou, weights=weight) for iou, _ in scores)
        expected.append(memory - alone)
        moved = np.roll(votes, 1, axis=2) * inside
        votes = now + 0.8 * moved
    assert expected[0] == 0.0
    assert length(model).differences == pytest.approx(expected[1:], abs=1e-6)


def test_the_first_frames_of_a_stream_test_it_too() -> None:
    model = model_of(0.0, -1)
    model.adapt(FRAMES[:2])
    assert length(model) == MemoryLength(0.8)
    assert after(model, FRAMES[2:8]).decay == pytest.approx(0.64)
    assert after(model, FRAMES[8:]).decay < 0.64


def test_then_it_rests() -> None:
    model = model_of(0.6, 1)
    model.adapt(FRAMES[:3])
    found = after(model, FRAMES[3:11])
    assert (found.left, len(found.differences)) == (0, 1 + 8)
    assert state_of(model).trial is not None
    # The trial ends with the frame after the last that was predicted.
    assert after(model, FRAMES[11:]) == found
    assert state_of(model).trial is None


@pytest.mark.parametrize(("noise", "step", "shorter"), [(0.6, 1, False), (0.0, -1, True)])
def test_a_warm_up_of_one_frame_tells_nothing(noise: float, step: int, shorter: bool) -> None:
    model = model_of(noise, step)
    model.adapt(FRAMES[:1])
    assert length(model) == MemoryLength(0.8)
    assert (after(model, FRAMES[1:]).decay < 0.8) == shorter


def test_labels_come_nearer_to_the_image_models() -> None:
    def wrong(config: AdaptConfig) -> float:
        model = model_of(0.0, -1, config)
        model.adapt(FRAMES[:8])
        own = wrap(Shades())
        return float(np.mean([(model(f) != own(f)).float().mean() for f in FRAMES[8:]]))

    unchecked = replace(CONFIG, safety=None)
    assert wrong(CONFIG) < wrong(unchecked) / 2


def test_nothing_is_tested_where_nothing_is_checked() -> None:
    model = model_of(0.0, -1, replace(CONFIG, safety=None))
    model.adapt(FRAMES[:8])
    assert after(model, FRAMES[8:]) == MemoryLength(0.8, left=0)


def test_a_cut_begins_anew() -> None:
    # Only of what was trained anybody watches whether the scene is still the same.
    training = Training(learning_rate=1e-6)
    memory = WarpedVotes(decay=0.8)
    config = replace(CONFIG, memory=memory, targets=SelfLabels(), training=training)
    model = model_of(0.0, 1, config)
    assert model.adapt(FRAMES[:8]).adapted
    state = state_of(model)
    model._stream.state = replace(state, length=MemoryLength(0.64, 8, (0.1,), 1))
    model(FRAMES[8])
    assert length(model).decay == 0.64
    dark = [frame // 8 for frame in video(8, seed=5)]
    model(dark[0])
    log = state_of(model).log
    assert log is not None
    assert log.cut
    assert length(model) == MemoryLength(0.8)


def test_what_looks_tell_is_not_held_against_it() -> None:
    """The trial's memory is that of the image model alone, whatever is remembered beside."""
    look = SecondLook(warmup_scales=(2.0,), scales=(2.0,), first=(1, 2, 3), budget=10.0)
    looked = model_of(0.6, 1, replace(CONFIG, look=look))
    alone = model_of(0.6, 1)
    trials: list[Trial] = []
    for model in (looked, alone):
        model.adapt(FRAMES[:4])
        after(model, FRAMES[4:8])
        state = state_of(model)
        assert state.trial is not None
        trials.append(state.trial)
    assert torch.equal(trials[0].votes, trials[1].votes)
    assert trials[0].frames == 8
    assert length(looked).differences == length(alone).differences
    votes = [state_of(model).votes for model in (looked, alone)]
    assert not torch.equal(votes[0], votes[1])  # type: ignore[arg-type]


def test_of_a_frame_that_is_not_fused_nothing_is_held_against_it() -> None:
    model = model_of(0.0, -1)
    model.adapt(FRAMES[:2])
    before = length(model)
    model.predict(FRAMES[2], fuse=False)
    assert length(model) == before


@pytest.mark.parametrize("at", [2, 5])
def test_it_goes_on_from_a_file(at: int, tmp_path: Path) -> None:
    model = model_of(0.3, -1)
    model.adapt(FRAMES[:2])
    after(model, FRAMES[2 : 2 + at])
    model.save_pretrained(tmp_path, state=True)
    other = model_of(0.3, -1).load_pretrained(tmp_path)
    assert length(other) == length(model)
    assert after(other, FRAMES[2 + at :]) == after(model, FRAMES[2 + at :])
    assert torch.equal(other(FRAMES[-1]), model(FRAMES[-1]))


def test_what_the_warm_up_settled_is_where_the_next_stream_begins(tmp_path: Path) -> None:
    model = model_of(0.0, -1)
    model.adapt(FRAMES[:8])
    settled = replace(length(model), differences=())
    assert model.memory_decay == settled.decay < 0.8
    model.save_pretrained(tmp_path)
    other = model_of(0.0, -1).load_pretrained(tmp_path)
    assert other.memory_decay == settled.decay
    for each in (other, model):
        # What it predicts is counted anew.
        each.clear_memory()
        each(FRAMES[0])
        assert length(each) == settled


def test_a_memory_that_forgets_nothing_is_not_said_to_be_shorter() -> None:
    model = model_of(0.0, -1, ENDLESS)
    report = model.adapt(FRAMES[:8])
    assert after(model, FRAMES[8:]).halvings == 0
    assert "as long as asked for" not in str(report)


def test_after_a_halving_the_votes_of_the_longer_memory_are_gone() -> None:
    model = model_of(0.0, -1)
    model.adapt(FRAMES[:2])
    begun = []
    for frame in FRAMES[2:]:
        before = length(model).halvings
        model(frame)
        state = state_of(model)
        begun.append(before > 0 and state.trial is not None and state.trial.frames == 1)
    # Once a halving.
    assert sum(begun) == length(model).halvings == 2


def test_another_model_is_tested_on_its_own_labels() -> None:
    config = replace(CONFIG, targets=SelfLabels(), training=Training(learning_rate=1e-6))
    model = model_of(0.6, 1, config)
    assert model.adapt(FRAMES[:6]).adapted
    assert model.speaker == "adapted"
    assert len(length(model).differences) == 4
    # What the warm-up told of the image model is not counted for the adapted one.
    assert after(model, FRAMES[6:7]).differences == ()
    assert len(after(model, FRAMES[7:10]).differences) == 2
    state = state_of(model)
    assert getattr(state.trial, "adapted", False)
    assert state.monitor is not None
    # The image model speaks from here on, and nothing is charged that it did not say.
    monitor = replace(state.monitor, collapsed=True)
    model._stream.state = replace(state, monitor=monitor)
    found = after(model, FRAMES[10:11])
    # And it has as many frames to be tested on as the one before had.
    assert (found.left, found.differences) == (8, ())
    trial = state_of(model).trial
    assert trial is not None
    assert (trial.adapted, trial.frames) == (False, 1)
