"""The caller's modes and random state: set aside for a while, then as they were."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch

OWN_LAYER: Any = {"dtype": torch.float32, "device": "cpu"}
"""How a layer of ours is made, whatever the defaults of the caller's process are; moved later."""

_RANDOM_STATE = RLock()


@contextmanager
def own_gradient_mode() -> Iterator[None]:
    """Gradients on, whatever mode the caller is in."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside, and leave the caller's random state untouched.

    Torch has one random state for all threads, so a second one waits here for the first.
    """
    devices = [device] if device.type == "cuda" else []
    with _RANDOM_STATE, torch.random.fork_rng(devices=devices):
        # Not `torch.manual_seed`, which also seeds devices whose state is not put back.
        torch.default_generator.manual_seed(seed)
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Where torch's random numbers are, on the CPU and on a model's device; inside `seeded`."""
    state = {"random.cpu": torch.default_generator.get_state()}
    if device.type == "cuda":
        state["random.cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Go on from where `random_state` was."""
    torch.default_generator.set_state(state["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["random.cuda"], device)


def autocast_mode(device: torch.device) -> tuple[bool, torch.dtype]:
    """Whether autocast is on, and what it casts to."""
    kind = device.type
    return torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)


@contextmanager
def without_autocast(device: torch.device) -> Iterator[None]:
    """Autocast off, for weights that change.

    Inside autocast, torch keeps half-precision copies of weights, and would go on using them after
    a training step.
    """
    with torch.autocast(device.type, enabled=False):
        yield
