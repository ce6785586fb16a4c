"""What a run holds in memory."""

import gc
import tracemalloc
from collections.abc import Iterable

import numpy as np
import torch

from ditta_adapt import Frame
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.evaluation.result import Case
from ditta_adapt.evaluation.runner import run_method
from ditta_adapt.evaluation.split import Split

SIZE, LENGTH = (64, 64), 40


class Made(LazySequence[np.ndarray]):
    """Arrays that are made when they are asked for."""

    def __init__(self, *shape: int) -> None:
        self._shape = shape

    def __len__(self) -> int:
        return LENGTH

    def _read(self, index: int) -> np.ndarray:
        return np.full(self._shape, index // 20, np.uint8)


class Watching:
    """A method that notes how much is alive at the tenth frame and at the last."""

    def __init__(self) -> None:
        self._count = 0
        self.bytes: list[int] = []
        self.tensors: list[int] = []

    def adapt(self, frames: Iterable[Frame], **options: object) -> None: ...

    def clear_memory(self) -> None: ...

    def reset(self) -> None: ...

    def __call__(self, frame: Frame) -> torch.Tensor:
        self._count += 1
        if self._count in (10, LENGTH):
            self.bytes.append(tracemalloc.get_traced_memory()[0])
            self.tensors.append(sum(type(x) is torch.Tensor for x in gc.get_objects()))
        return torch.zeros(SIZE, dtype=torch.int64)


def test_memory_does_not_grow_with_the_video() -> None:
    """Neither tensors nor arrays: Python's own books know only of the latter."""
    video = LabelledVideo("long", Made(*SIZE, 3), Made(*SIZE))
    method, case = Watching(), Case("watching", "0%", "", "long")
    tracemalloc.start()
    try:
        result = run_method(method, video, Split(0, range(LENGTH)), 4, case)
    finally:
        tracemalloc.stop()
    assert len(result.consistency[16]) > 0
    early, late = method.tensors
    assert early == late
    early, late = method.bytes
    # Less than a map of 8 bits in ten frames.
    assert late - early < SIZE[0] * SIZE[1] * (LENGTH - 10) / 10
