"""Save and load what adaptation changed: `model.safetensors` and `config.json` in one folder.

Beside them, if that is wanted, what is remembered of the video, in `state.safetensors`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, Checks, WarpedVotes
from ditta_adapt.errors import CheckpointError, ConfigError, InputError
from ditta_adapt.io.files import as_path, make_folder, write_files
from ditta_adapt.models.caller_state import seeded
from ditta_adapt.models.parameters import adaptable_state, device_of, weight_hash
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import library_versions
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.snapshot import restored, snapshot
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.student import Student, full_precision_student, make_addon

SCHEMA_VERSION = 5
WEIGHTS, CONFIG = "model.safetensors", "config.json"
_STATE = "state.safetensors"


def save(
    path: str | Path,
    stream: Stream,
    segmenter: Segmenter,
    asked: AdaptConfig,
    *,
    state: bool = False,
) -> None:
    """Write what a stream was adapted to, and the hash of the image model.

    All files are complete before one replaces an older one.

    Args:
        path: a folder.
        stream: whose student, and what it begins with, are written.
        segmenter: the image model.
        asked: what the next video is adapted with; what was decided for this one is the stream's.
        state: whether to write the state after the frame last seen, too, if there is one.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    folder, student, monitor = as_path(path), stream.student, stream.monitor
    tensors = {name: plain(tensor) for name, tensor in _tensors(student).items()}
    description = identity(student.segmenter) | {
        "schema_version": SCHEMA_VERSION,
        "versions": library_versions(),
        "model_hash": weight_hash(segmenter),
        "adapted": stream.adapted,
        "has_memory": stream.memory is not None,
        "has_addon": student.addon is not None,
        "full_precision": student.precision is not None,
        "monitor": None if monitor is None else {"limit": monitor.limit, "usual": monitor.usual},
        "length": None if stream.length is None else stream.length.to_values(),
        "opinions": None if stream.judge is None else dict(stream.judge.opinions),
        "config": stream.config.to_dict(),
        "asked": asked.to_dict(),
        "state": None,
    }
    # Not by safetensors' own `save_file`, whose files only their owner can read.
    files: dict[Path, str | bytes] = {folder / WEIGHTS: to_bytes(tensors)}
    if state and stream.state is not None:
        kept, description["state"] = snapshot(stream.state)
        files[folder / _STATE] = to_bytes({name: plain(tensor) for name, tensor in kept.items()})
    files[folder / CONFIG] = json.dumps(description, indent=2) + "\n"
    try:
        make_folder(folder)
        write_files(files, durable=True)
    except (InputError, SafetensorError) as error:
        raise CheckpointError(f"cannot write to {folder}: {error}") from error


def load(
    path: str | Path,
    segmenter: Segmenter,
    propagator: Callable[[], Propagator],
    *,
    compile: bool = False,
) -> tuple[Stream, AdaptConfig]:
    """Read what was adapted of an image model, and what the next video is to be adapted with.

    The stream is ready for the first frame, or for the one after the state that was written.

    Args:
        path: folder written by `save`.
        segmenter: the image model.
        propagator: gives the propagator; asked only where votes are remembered.
        compile: see `Stream`.

    Raises:
        CheckpointError: missing, corrupt, of another format version, or of a different model.
    """
    folder = as_path(path)
    description = read_config(folder / CONFIG)
    check_model(folder, description, segmenter)
    try:
        config = AdaptConfig.from_dict(description["config"])
        # Folders from before they were kept have neither `asked` nor `length`.
        asked = AdaptConfig.from_dict(description.get("asked", description["config"]))
        monitor = _monitor(description["monitor"], config)
        judge = _judge(description["opinions"], config)
        kept = description.get("length")
        length = None if kept is None else MemoryLength.from_values(kept)
        memory = config.memory if description["has_memory"] else None
        addon = memory if description["has_addon"] else None
        full_precision, adapted = (bool(description[key]) for key in ("full_precision", "adapted"))
        if isinstance(memory, str) or not (addon is None or isinstance(addon, AttentionAddon)):
            raise ConfigError(f"memory is {memory!r}, which is none that could have been used.")
    except (ConfigError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / CONFIG} holds no valid config: {error!r}") from error
    frozen = Student.pretrained(segmenter)
    if full_precision:
        student = full_precision_student(segmenter)
    else:
        student = Student(private_copy(segmenter))
    if addon is not None:
        device = device_of(student.segmenter)
        # Its start is drawn at random, and replaced by what is read.
        with seeded(config.seed, device):
            module = make_addon(student.segmenter, addon).to(device)
        student = replace(student, addon=module)
    copy_weights(folder / WEIGHTS, student)
    warper = propagator() if isinstance(memory, WarpedVotes) else None
    stream = Stream(
        student if adapted else frozen,
        frozen,
        config,
        memory=memory,
        propagator=warper,
        monitor=monitor,
        judge=judge,
        compile=compile,
    )
    stream.length = length or stream.length
    if description["state"] is not None:
        stream.resume(_state(folder / _STATE, description["state"], stream))
    return stream, asked


def check_model(folder: Path, description: dict[str, Any], segmenter: Segmenter) -> None:
    """Refuse an image model that a folder does not belong to.

    Raises:
        CheckpointError: it was made of another one.
    """
    for key, own in identity(segmenter).items():
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


def _state(path: Path, entry: Any, stream: Stream) -> StreamState:
    """The state after the frame last seen."""
    device = device_of(stream.student.segmenter)
    try:
        tensors = {name: tensor.to(device) for name, tensor in load_file(path).items()}
        return restored(
            tensors,
            entry,
            length=stream.length,
            monitor=stream.monitor,
            judge=stream.judge,
            plan=stream.plan,
        )
    except (OSError, SafetensorError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is missing, corrupt, or of another stream: {error!r}"
        ) from error


def _monitor(entry: Any, config: AdaptConfig) -> DriftMonitor | None:
    """The drift monitor before the first frame."""
    if entry is None:
        return None
    limit, usual = float(entry["limit"]), float(entry["usual"])
    if not (isinstance(config.safety, Checks) and limit >= 0 and 0 <= usual <= 1):
        raise ConfigError(
            f"monitor is {entry!r}; expected limit, at least 0, and usual, in [0, 1], beside "
            "safety checks."
        )
    return DriftMonitor(config.safety, limit, usual)


def _judge(entry: Any, config: AdaptConfig) -> Judge | None:
    """The judge before the first frame, with the opinions of the warm-up."""
    if entry is None:
        return None
    opinions: dict[Speaker, tuple[float, ...]] = {
        name: tuple(map(float, found)) for name, found in entry.items()
    }
    known = set(opinions) <= {"memory", "adapted"}
    if not (known and isinstance(config.safety, Checks)) or any(
        not -1 <= value <= 1 for found in opinions.values() for value in found
    ):
        raise ConfigError(
            f"opinions is {entry!r}; expected numbers in [-1, 1] of memory and adapted, beside "
            "safety checks."
        )
    return Judge(config.safety, opinions)


def _tensors(student: Student) -> dict[str, Tensor]:
    tensors = {f"segmenter.{k}": v for k, v in adaptable_state(student.segmenter).items()}
    if student.addon is not None:
        tensors |= {f"addon.{k}": v for k, v in student.addon.state_dict().items()}
    return tensors


def identity(segmenter: Segmenter) -> dict[str, Any]:
    """What a folder says of the model that it was made of, beside the hash of its weights."""
    return {
        "segmenter": type(segmenter).__name__,
        "num_classes": segmenter.num_classes,
        "feature_dim": segmenter.feature_dim,
    }


def plain(tensor: Tensor) -> Tensor:
    """A tensor with memory of its own, as the file format wants it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def read_config(path: Path) -> dict[str, Any]:
    """What `config.json` holds.

    Raises:
        CheckpointError: missing, corrupt, or of another format version.
    """
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


def copy_weights(path: Path, student: Student) -> None:
    """Give a student the weights of a file.

    Raises:
        CheckpointError: missing, corrupt, not of this student, or not finite.
    """
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
        # A model may have infinite weights of its own.
        if (own[name].cpu().isfinite() & ~tensor.isfinite()).any():
            raise CheckpointError(f"{path}: {name} has values that are not finite.")
    with torch.no_grad():
        for name, tensor in stored.items():
            own[name].copy_(tensor)
