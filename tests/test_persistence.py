"""Saved adaptations: what is in them, and what is refused."""

import copy
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    CheckpointError,
    PropagationError,
    Training,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from tests.toys import StillPropagator, ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAMES = toy_video(7)


@pytest.fixture(scope="module", params=["residual", "warped", "auto"])
def adapted_once(request: pytest.FixtureRequest) -> VideoSegmenter:
    training = Training(learning_rate=1e-3)
    config = AdaptConfig(training=training, memory=request.param, safety=None, seed=5)
    model = wrap(toy_segmenter(), config=config)
    assert model.adapt(FRAMES[:4]).adapted
    return model


@pytest.fixture
def adapted(adapted_once: VideoSegmenter) -> VideoSegmenter:
    return copy.deepcopy(adapted_once)


@pytest.fixture
def folder(adapted: VideoSegmenter, tmp_path: Path) -> Path:
    adapted.save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


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


@pytest.mark.parametrize("spoil", ["missing", "cut off", "another stream", "no numbers"])
def test_a_state_that_cannot_be_read_is_refused(
    adapted: VideoSegmenter, tmp_path: Path, spoil: str
) -> None:
    adapted.save_pretrained(tmp_path, state=True)
    path = tmp_path / "state.safetensors"
    if spoil == "missing":
        path.unlink()
    elif spoil == "cut off":
        path.write_bytes(path.read_bytes()[:100])
    elif spoil == "another stream":
        change(tmp_path, state={"count": 4, "monitor": [1, True], "opinions": {}, "plan": None})
    else:
        change(tmp_path, state={"count": 4})
    refuses(tmp_path, "state.safetensors is missing, corrupt, or of another stream")


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


@pytest.mark.parametrize(
    "key", ["has_memory", "has_addon", "monitor", "opinions", "full_precision", "config", "adapted"]
)
def test_an_entry_that_is_missing(folder: Path, key: str) -> None:
    path = folder / "config.json"
    written = json.loads(path.read_text())
    del written[key]
    path.write_text(json.dumps(written))
    refuses(folder, "no valid config")


def test_what_was_asked_for_may_be_missing_but_not_without_sense(
    adapted: VideoSegmenter, folder: Path
) -> None:
    """Folders of before it was kept tell what was decided."""
    path = folder / "config.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"asked": {"targets": 3}}))
    refuses(folder, "no valid config")
    del written["asked"]
    path.write_text(json.dumps(written))
    loaded = wrap(toy_segmenter()).load_pretrained(folder)
    assert loaded.config == adapted.report.config


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


@pytest.mark.parametrize(
    "entry", [3, {"limit": 0.1}, {"limit": -1, "usual": 0.5}, {"limit": 0.1, "usual": "much"}]
)
def test_a_monitor_without_sense_is_refused(folder: Path, entry: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"monitor": entry}))
    refuses(folder, "no valid config")


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


def refuses(folder: Path, match: str, segmenter: ToySegmenter | None = None) -> None:
    """Loading raises, and the video model goes on as if it had not been asked."""
    if segmenter is None:
        model = copy.deepcopy(_adapted_before())
    else:
        model = wrap(segmenter, config=AdaptConfig(safety=None, seed=9))
        model.adapt(FRAMES[:3])
    expected = copy.deepcopy(model).predict(FRAMES[3]).probabilities
    with pytest.raises(CheckpointError, match=match):
        model.load_pretrained(folder)
    assert torch.equal(model.predict(FRAMES[3]).probabilities, expected)
    assert model.config.seed == 9
    assert model.report is not None


@cache
def _adapted_before() -> VideoSegmenter:
    model = wrap(toy_segmenter(), config=AdaptConfig(safety=None, seed=9))
    model.adapt(FRAMES[:3])
    return model


def test_other_weights(folder: Path) -> None:
    refuses(folder, "other weights", toy_segmenter(seed=1))


def test_other_frozen_weights_only(folder: Path) -> None:
    other = toy_segmenter()
    with torch.no_grad():
        other.model.encoder[0].bias[0] += 0.5
    refuses(folder, "other weights", other)


def test_other_kind_of_segmenter(folder: Path) -> None:
    class Renamed(ToySegmenter):
        pass

    refuses(folder, "segmenter = 'ToySegmenter'", Renamed(ToyNet().eval()))


def test_missing_folder(tmp_path: Path) -> None:
    refuses(tmp_path / "nowhere", "does not exist")


def test_missing_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refuses(folder, "missing or corrupt")


@pytest.mark.parametrize("keep", [0, 7, 200])
def test_truncated_weights(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refuses(folder, "missing or corrupt")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1}', "\x00\xff"])
def test_foreign_config(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    refuses(folder, "config.json")


def test_other_schema(folder: Path) -> None:
    for version in (1, 2, 3, 4, 6):
        change(folder, schema_version=version)
        refuses(folder, f"schema_version {version}")


@pytest.mark.parametrize(
    "config",
    [
        {"training": {"learning_rate": -1}},
        {"unknown": 1},
        3,
        {"training": {"betas": "wide"}},
        {"training": {"betas": [0.9]}},
        {"memory": "auto"},
    ],
)
def test_invalid_config_inside(folder: Path, config: object) -> None:
    change(folder, config=config)
    refuses(folder, "no valid config")


@pytest.mark.parametrize("adapted_once", ["residual"], indirect=True)
def test_tensors_that_do_not_fit(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "segmenter.decoder.4.bias": torch.zeros(9)}, path)
    refuses(folder, "decoder.4.bias")
    save_file({k: v for k, v in tensors.items() if not k.startswith("addon.query")}, path)
    refuses(folder, "does not fit")
    save_file({**tensors, "segmenter.decoder.4.bias": torch.full((4,), torch.nan)}, path)
    refuses(folder, "not finite")


def test_folder_that_cannot_be_made(adapted: VideoSegmenter, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="cannot write"):
        adapted.save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_failed_save_leaves_the_old_files(
    adapted: VideoSegmenter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    written: list[int] = []

    def full_disk(descriptor: int) -> None:
        if written:
            raise OSError("no space left")
        written.append(descriptor)

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(CheckpointError, match="no space"):
        adapted.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def change(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
