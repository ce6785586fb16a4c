"""Save and load what adaptation changed: `model.safetensors` and `config.json` in one folder."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import CheckpointError, ConfigError
from ditta_adapt.models.parameters import adaptable_state, device_of, weight_hash
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import library_versions
from ditta_adapt.safety.drift_monitor import Watch
from ditta_adapt.training.student import Student, make_addon

SCHEMA_VERSION = 1
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"


def save(
    path: str | Path, student: Student, watch: Watch | None, config: AdaptConfig, model_hash: str
) -> None:
    """Write a student, what its watchdog measures by, and the hash of the image model.

    Both files are complete before either replaces an older one.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder = Path(path)
    tensors = {name: _plain(tensor) for name, tensor in _tensors(student).items()}
    description = _identity(student.segmenter) | {
        "schema_version": SCHEMA_VERSION,
        "versions": library_versions(),
        "model_hash": model_hash,
        "has_addon": student.addon is not None,
        "carries": student.carries,
        "watch": None if watch is None else {"limit": watch.limit, "usual": watch.usual},
        "config": config.to_dict(),
    }
    weights, settings = folder / f".{_WEIGHTS}.tmp", folder / f".{_CONFIG}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, weights)
        settings.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        os.replace(weights, folder / _WEIGHTS)
        os.replace(settings, folder / _CONFIG)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write to {folder}: {error}") from error
    finally:
        if folder.is_dir():
            weights.unlink(missing_ok=True)
            settings.unlink(missing_ok=True)


def load(path: str | Path, segmenter: Segmenter) -> tuple[Student, Watch | None, AdaptConfig]:
    """Read a student for an image model, its watchdog, and the config it was adapted with.

    Raises:
        CheckpointError: missing, corrupt, of another format version, or of a different model.
    """
    folder = Path(path)
    description = _read_config(folder / _CONFIG)
    for key, own in _identity(segmenter).items():
        if description.get(key) != own:
            raise CheckpointError(
                f"{folder} was adapted from a model with {key} = {description.get(key)!r}; this "
                f"model has {own!r}. Load it into the model it was made from."
            )
    if description.get("model_hash") != weight_hash(segmenter):
        raise CheckpointError(
            f"{folder} was adapted from a model with other weights (or another dtype) than this "
            "one. Load it into the same pre-trained model."
        )
    try:
        config = AdaptConfig.from_dict(description["config"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / _CONFIG} holds no valid config: {error}") from error
    watch = _watch(description.get("watch"), config, folder)
    student = Student.pretrained(segmenter)
    addon = None
    if description.get("has_addon"):
        addon = make_addon(student.segmenter, config).to(device_of(student.segmenter))
    student = replace(student, addon=addon, carries=bool(description.get("carries")))
    _copy_weights(folder / _WEIGHTS, student)
    return student, watch, config


def _watch(entry: object, config: AdaptConfig, folder: Path) -> Watch | None:
    """The watchdog before the first frame; none in folders written before there was one."""
    if entry is None:
        return None
    try:
        limit, usual = float(entry["limit"]), float(entry["usual"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        limit = usual = math.nan
    if not (limit >= 0 and 0 <= usual <= 1):
        raise CheckpointError(
            f"{folder / _CONFIG} has watch = {entry!r}; expected limit, at least 0, and usual, in "
            "[0, 1]."
        )
    return Watch(limit, config.photometric_tolerance, usual)


def _tensors(student: Student) -> dict[str, Tensor]:
    tensors = {f"segmenter.{k}": v for k, v in adaptable_state(student.segmenter).items()}
    if student.addon is not None:
        tensors |= {f"addon.{k}": v for k, v in student.addon.state_dict().items()}
    return tensors


def _identity(segmenter: Segmenter) -> dict[str, Any]:
    return {
        "segmenter": type(segmenter).__name__,
        "num_classes": segmenter.num_classes,
        "feature_dim": segmenter.feature_dim,
    }


def _plain(tensor: Tensor) -> Tensor:
    """A tensor with memory of its own, as the file format wants it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _read_config(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} does not exist; expected a folder written by save_pretrained."
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    version = description.get("schema_version") if isinstance(description, dict) else None
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} has schema_version {version!r}; this version of ditta-adapt reads "
            f"{SCHEMA_VERSION}. It was not written by save_pretrained, or by another version."
        )
    return dict(description)


def _copy_weights(path: Path, student: Student) -> None:
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is missing or corrupt: {error}") from error
    own = _tensors(student)
    if stored.keys() != own.keys():
        difference = sorted(stored.keys() ^ own.keys())
        raise CheckpointError(
            f"{path} does not fit the model: {len(difference)} tensors are in one of the two "
            f"only, such as {difference[:3]}."
        )
    for name, tensor in stored.items():
        if tensor.shape != own[name].shape or tensor.dtype != own[name].dtype:
            raise CheckpointError(
                f"{path}: {name} is {tuple(tensor.shape)} {tensor.dtype}; the model has "
                f"{tuple(own[name].shape)} {own[name].dtype}."
            )
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {name} has values that are not finite.")
    with torch.no_grad():
        for name, tensor in stored.items():
            own[name].copy_(tensor)
