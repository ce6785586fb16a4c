"""Saved adaptations: what is in them, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    PropagationError,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from tests.toys import StillPropagator, toy_segmenter, toy_video

FRAMES = toy_video(7)


def test_round_trip_is_bit_identical(adapted: VideoSegmenter, folder: Path) -> None:
    loaded = wrap(toy_segmenter())
    assert loaded.load_pretrained(folder) is loaded
    assert loaded.config == adapted.config
    assert loaded._stream.config == adapted.report.config
    adapted.clear_memory()
    for frame in FRAMES[4:]:
        ours, theirs = adapted.predict(frame), loaded.predict(frame)
        assert torch.equal(ours.probabilities, theirs.probabilities)


def test_streaming_goes_on_with_a_memory(adapted: VideoSegmenter, folder: Path) -> None:
    """Of the add-on or of votes: the frames before have a say, also after loading."""
    loaded = wrap(toy_segmenter()).load_pretrained(folder)
    for frame in FRAMES[4:]:
        continued = loaded.predict(frame).probabilities
    fresh = wrap(toy_segmenter()).load_pretrained(folder)
    assert not torch.equal(fresh.predict(FRAMES[6]).probabilities, continued)
    adapted.clear_memory()
    for frame in FRAMES[4:]:
        expected = adapted.predict(frame).probabilities
    assert torch.equal(continued, expected)


def test_a_stream_goes_on_where_it_was_saved(adapted: VideoSegmenter, tmp_path: Path) -> None:
    adapted.clear_memory()
    for frame in FRAMES[4:6]:
        adapted(frame)
    adapted.save_pretrained(tmp_path, state=True)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert loaded.state.count == 2
    ours, theirs = adapted.predict(FRAMES[6]), loaded.predict(FRAMES[6])
    assert torch.equal(ours.probabilities, theirs.probabilities)
    # Without what it remembers it would have said something else.
    adapted.save_pretrained(tmp_path)
    forgetful = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert forgetful.state is None
    assert not torch.equal(forgetful.predict(FRAMES[6]).probabilities, theirs.probabilities)


def test_a_judged_stream_goes_on_with_its_looks_and_opinions(tmp_path: Path) -> None:
    """Saved and loaded before every frame, it says what it says without."""
    frames = toy_video(14)
    model = wrap(toy_segmenter(), config=AdaptConfig(seed=5))
    model.adapt(frames[:4])
    model.save_pretrained(tmp_path, state=True)
    expected = [(model(frame), model.state.log, model.state.judge) for frame in frames[4:]]
    assert any(log.looked for _, log, _ in expected)
    for frame, (labels, log, judge) in zip(frames[4:], expected, strict=True):
        loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
        assert torch.equal(loaded(frame), labels)
        assert loaded.state.log == log
        # What was said of the frame before was kept for the look to judge.
        assert loaded.state.judge == judge
        loaded.save_pretrained(tmp_path, state=True)


def test_a_stream_that_was_not_adapted_goes_on(tmp_path: Path) -> None:
    model = wrap(toy_segmenter())
    model(FRAMES[0])
    model.save_pretrained(tmp_path, state=True)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert torch.equal(loaded(FRAMES[1]), model(FRAMES[1]))
    assert loaded.state.plan == model.state.plan


def test_votes_need_a_propagator_that_warps(tmp_path: Path) -> None:
    model = wrap(toy_segmenter(), config=AdaptConfig(memory=WarpedVotes(), safety=None))
    model.adapt(FRAMES[:4])
    model.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter(), propagator=StillPropagator()).load_pretrained(tmp_path)
    first = loaded(FRAMES[4])
    with pytest.raises(PropagationError, match="StillPropagator cannot warp"):
        loaded(FRAMES[5])
    loaded.clear_memory()
    assert torch.equal(loaded(FRAMES[4]), first)


def test_only_what_was_adapted_is_written(adapted: VideoSegmenter, folder: Path) -> None:
    has_addon = adapted.config.memory == AttentionAddon()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    names = load_file(folder / "model.safetensors").keys()
    parts = {"segmenter", "addon"} if has_addon else {"segmenter"}
    assert {name.partition(".")[0] for name in names} == parts
    assert all(name.startswith(("segmenter.decoder.", "addon.")) for name in names)
    written = json.loads((folder / "config.json").read_text())
    assert written["schema_version"] == 5
    assert written["has_addon"] == has_addon
    assert written["has_memory"]
    # With "auto" decided.
    assert written["config"]["targets"]["kind"] == "DenseVote"
    assert written["config"]["memory"]["kind"] in ("AttentionAddon", "WarpedVotes")


def test_the_drift_monitor_keeps_its_measure(tmp_path: Path) -> None:
    """In a noisy video trust is low everywhere: without the usual one, every frame was a cut."""
    noise = np.random.default_rng(0)
    frames = [
        np.clip(frame + noise.normal(0, 60, frame.shape), 0, 255).astype(np.uint8)
        for frame in toy_video(12)
    ]
    model = wrap(toy_segmenter(), config=AdaptConfig(memory=WarpedVotes(tolerance=0.02)))
    assert model.adapt(frames[:6]).adapted
    model.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    model.clear_memory()
    for frame in frames[6:]:
        assert torch.equal(loaded(frame), model(frame))
        assert loaded.fallback is None
    entry = json.loads((tmp_path / "config.json").read_text())["monitor"]
    # Under half of 1, which is what a monitor without a measure would go by.
    assert 0 < entry["usual"] < 0.5
    inconsistency = model.report.verdict.temporal_inconsistency
    assert entry["limit"] == pytest.approx(max(0.1, 4 * inconsistency))


def test_without_addon_and_without_adaptation(tmp_path: Path) -> None:
    model = wrap(toy_segmenter())
    model.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert torch.equal(loaded(FRAMES[0]), wrap(toy_segmenter())(FRAMES[0]))


def test_saving_again_replaces(adapted: VideoSegmenter, folder: Path) -> None:
    adapted.adapt(FRAMES[3:])
    adapted.save_pretrained(folder)
    loaded = wrap(toy_segmenter()).load_pretrained(folder)
    adapted.clear_memory()
    assert torch.equal(
        loaded.predict(FRAMES[0]).probabilities, adapted.predict(FRAMES[0]).probabilities
    )
