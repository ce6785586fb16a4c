"""Timing on any device: the host waits for it before and after."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch


def seconds(call: Callable[[], Any], device: torch.device) -> float:
    """How long a call took, until the device was done."""
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def interleaved(
    calls: Sequence[Callable[[int], Any]], device: torch.device, *, rounds: int, warmup: int = 3
) -> list[list[float]]:
    """Times of several calls in turn, each given the number of the round; so that all of them see
    the same machine."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(-warmup, rounds):
        for call, own in zip(calls, times, strict=True):
            taken = seconds(partial(call, number + warmup), device)
            if number >= 0:
                own.append(taken)
    return times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
