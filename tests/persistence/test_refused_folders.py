"""Folders that do not fit, or cannot be read or written, are refused, and nothing changes."""

import copy
import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ditta_adapt import AdaptConfig, CheckpointError, VideoSegmenter, wrap
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAMES = toy_video(7)


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


@pytest.mark.parametrize(
    "entry", [3, {"limit": 0.1}, {"limit": -1, "usual": 0.5}, {"limit": 0.1, "usual": "much"}]
)
def test_a_monitor_without_sense_is_refused(folder: Path, entry: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"monitor": entry}))
    refuses(folder, "no valid config")


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
