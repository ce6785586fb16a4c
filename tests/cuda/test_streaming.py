"""A stream on a GPU: the CPU's labels, no waiting, no growth."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.speed.workload import build, moving
from ditta_adapt import AdaptConfig, SecondLook, Segmenter, SegmenterError, VideoSegmenter, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.models.parameters import modules_of
from ditta_adapt.testing import check_segmenter

GPU, CPU = torch.device("cuda"), torch.device("cpu")
FRAMES = moving(24, (96, 160), speed=(3, 1))
NO_LOOKS = replace(AdaptConfig(), look=None, safety=None)
CONFIGS = {
    "default": AdaptConfig(),
    "every frame looked at": replace(AdaptConfig(), look=SecondLook(budget=4.0)),
    "no looks": NO_LOOKS,
    "checked, no looks": replace(AdaptConfig(), look=None),
    "without memory": replace(NO_LOOKS, memory=None),
}
by_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def streamed(
    segmenter: Segmenter, config: AdaptConfig, *, compile: bool = False
) -> tuple[VideoSegmenter, list[Tensor]]:
    """A video model, adapted to four frames, and its labels of those after."""
    flow = OpticalFlowPropagator(method="lucas-kanade")
    video_model = wrap(segmenter, propagator=flow, config=config, compile=compile)
    video_model.adapt(FRAMES[:4])
    return video_model, [video_model(frame).cpu() for frame in FRAMES[4:]]


def same(one: list[Tensor], other: list[Tensor]) -> float:
    """Share of pixels that have the same label."""
    return float(np.mean([(a == b).float().mean() for a, b in zip(one, other, strict=True)]))


@contextmanager
def nobody_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_conformance() -> None:
    check_segmenter(lambda: build("tiny", GPU))


@by_config
def test_labels_are_those_of_the_cpu(config: AdaptConfig) -> None:
    on_cpu = streamed(build("tiny", CPU), config)[1]
    on_gpu = streamed(build("tiny", GPU), config)[1]
    # What is decided by colours comes one frame late, and convolutions round otherwise.
    assert same(on_cpu, on_gpu) > 0.98


@by_config
@pytest.mark.parametrize("compile", [False, True])
def test_nobody_waits_for_the_device(config: AdaptConfig, compile: bool) -> None:
    """Not in any of the frames, once kernels and graphs are there."""
    video_model, _ = streamed(build("tiny", GPU), config, compile=compile)
    frames = [torch.from_numpy(frame).to(GPU) for frame in FRAMES]
    pinned = [torch.from_numpy(frame).pin_memory() for frame in FRAMES]
    for frame in (*frames[::-1], *pinned):
        video_model(frame)
    torch.cuda.synchronize()
    with nobody_waits():
        labels = [video_model(frame) for frame in (*frames[::-1], *pinned)]
    torch.cuda.synchronize()
    assert len(labels) == 2 * len(FRAMES)


@by_config
def test_compiled_labels_are_those_of_the_model(config: AdaptConfig) -> None:
    segmenter = build("tiny", GPU)
    plain, compiled = (streamed(segmenter, config, compile=c) for c in (False, True))
    assert compiled[0].report is not None
    assert "captured" not in compiled[0].report.reason
    assert same(plain[1], compiled[1]) > 0.999
    # Another size, and another video, are captured anew.
    compiled[0].reset()
    small = moving(6, (64, 96))
    compiled[0].adapt(small[:3])
    assert compiled[0](small[3]).shape == (64, 96)


def test_a_model_that_cannot_be_captured_runs_as_it_is() -> None:
    segmenter = build("tiny", GPU)

    class Waiting(type(segmenter)):  # type: ignore[misc]
        def encode(self, images: Tensor) -> object:
            assert float(images.sum()) == float(images.sum())
            return super().encode(images)

    waiting = Waiting(segmenter.model)  # type: ignore[attr-defined]
    video_model, labels = streamed(waiting, NO_LOOKS, compile=True)
    assert video_model.report is not None
    assert "could not be captured" in video_model.report.reason
    assert same(labels, streamed(segmenter, NO_LOOKS)[1]) > 0.999


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    exact = streamed(build("tiny", GPU), NO_LOOKS)[1]
    half = streamed(build("tiny", GPU, dtype=dtype), NO_LOOKS)[1]
    assert same(exact, half) > 0.95


@pytest.mark.parametrize("compile", [False, True])
def test_autocast(compile: bool) -> None:
    exact = streamed(build("tiny", GPU), NO_LOOKS)[1]
    with torch.autocast("cuda", dtype=torch.bfloat16):
        cast = streamed(build("tiny", GPU), NO_LOOKS, compile=compile)[1]
    assert same(exact, cast) > 0.95


def test_memory_is_flat() -> None:
    video_model, _ = streamed(build("tiny", GPU), AdaptConfig())
    readings = []
    for t in range(300):
        video_model(FRAMES[t % len(FRAMES)])
        if t % 50 == 49:
            torch.cuda.synchronize()
            readings.append(torch.cuda.memory_allocated())
    assert max(readings) <= readings[0] + 1e6


def test_two_models_on_two_streams() -> None:
    expected = streamed(build("tiny", GPU), NO_LOOKS)[1]
    found: dict[int, list[Tensor]] = {}
    segmenters = [build("tiny", GPU) for _ in range(2)]

    def run(number: int) -> None:
        with torch.cuda.stream(torch.cuda.Stream()):
            found[number] = streamed(segmenters[number], NO_LOOKS)[1]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1]
    assert all(same(expected, labels) > 0.999 for labels in found.values())


def test_out_of_memory_leaves_the_users_model_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = build("tiny", GPU)
    before = [p.clone() for m in modules_of(segmenter) for p in m.parameters()]
    taken = torch.cuda.memory_allocated() / torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(taken + 1e-4)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            wrap(segmenter, config=NO_LOOKS).adapt(moving(4, (2048, 2048)))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    after = [p for m in modules_of(segmenter) for p in m.parameters()]
    assert all(map(torch.equal, before, after))


def test_numbers_that_are_not_finite_are_found_one_frame_later() -> None:
    segmenter = build("tiny", GPU)
    video_model, _ = streamed(segmenter, NO_LOOKS)
    weights = video_model._stream.student.segmenter.model.decode_head.classifier.bias
    kept = weights.detach().clone()
    with torch.no_grad():
        weights.fill_(torch.nan)
    video_model(FRAMES[0])
    with torch.no_grad():
        weights.copy_(kept)
    with pytest.raises(SegmenterError, match="not finite"):
        video_model(FRAMES[1])
    # It is forgotten, and the stream goes on.
    assert video_model(FRAMES[2]).shape == FRAMES[2].shape[:2]
