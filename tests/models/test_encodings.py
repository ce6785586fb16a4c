"""What is kept of the warm-up: within the budget, and true; what had no room is computed again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import AdaptConfig
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.models.encodings import CacheBudget, EncodingCache, FrameCache
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.targets.warm_up import WarmUp
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

CPU = torch.device("cpu")
# Memory without data: a device that is not the CPU, on every machine.
META = torch.device("meta")


def test_the_device_is_filled_first_then_the_cpu() -> None:
    room = CacheBudget(META, device_bytes=10, cpu_bytes=6)
    assert [room.reserve(size) for size in (6, 6, 4, 1)] == [META, CPU, META, None]


def test_on_the_cpu_the_budgets_add_up() -> None:
    room = CacheBudget(CPU, device_bytes=10, cpu_bytes=6)
    assert [room.reserve(size) for size in (16, 1)] == [CPU, None]


@given(
    sizes=st.lists(st.integers(0, 50), max_size=20),
    device_bytes=st.integers(0, 200),
    cpu_bytes=st.integers(0, 200),
)
def test_no_more_is_kept_than_there_is_room(
    sizes: list[int], device_bytes: int, cpu_bytes: int
) -> None:
    room = CacheBudget(META, device_bytes=device_bytes, cpu_bytes=cpu_bytes)
    left = {META: device_bytes, CPU: cpu_bytes}
    for size in sizes:
        place = room.reserve(size)
        if place is None:
            assert size > max(left.values())
        else:
            left[place] -= size
            assert left[place] >= 0


@pytest.mark.parametrize(("kept", "computed"), [(0, [0, 1, 2, 0, 1, 2]), (2, [0, 1, 2, 2])])
def test_what_has_no_room_is_computed_again(kept: int, computed: list[int]) -> None:
    asked: list[int] = []

    def compute(t: int) -> dict[str, object]:
        asked.append(t)
        return {"maps": [torch.full((4,), float(t))], "frame": t}

    cache = FrameCache(compute, 3, CPU, CacheBudget(CPU, device_bytes=kept * 16, cpu_bytes=0))
    assert len(cache) == 3
    for _ in range(2):
        for t in range(3):
            value = cache[t]
            assert value["frame"] == t
            assert torch.equal(value["maps"][0], torch.full((4,), float(t)))  # type: ignore[index]
    assert asked == computed


def test_encodings_are_those_of_the_segmenter() -> None:
    segmenter = toy_segmenter()
    frames = frames_to_tensors(toy_video(3))
    cache = EncodingCache(segmenter, frames, CPU, device_bytes=2**20, cpu_bytes=0)
    for t in (2, 0, 1, 2):
        expected = segmenter.model.encoder(frames[t][None].float() / 127.5 - 1)
        torch.testing.assert_close(cache[t], expected, rtol=0, atol=0)
        assert not cache[t].requires_grad


class _OneBuffer(ToySegmenter):
    """A model that writes its logits into the same memory every time."""

    buffer: Tensor | None = None

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        if self.buffer is None:
            self.buffer = torch.empty_like(output.logits)
        self.buffer.copy_(output.logits)
        return SegmenterOutput(features=output.features, logits=self.buffer)


@pytest.mark.parametrize("room", [0, 2**20])
def test_logits_of_the_warm_up_survive_a_reused_buffer(room: int) -> None:
    segmenter = _OneBuffer(ToyNet().eval())
    frames = frames_to_tensors(toy_video(3))
    config = AdaptConfig(device_cache_bytes=room, cpu_cache_bytes=0)
    warm_up = WarmUp.from_frames(segmenter, frames, config, lambda _: None)
    logits = [warm_up.grid_logits(t) for t in range(3)]
    for t, frame in enumerate(frames):
        expected = segmenter.model(frame[None].float() / 127.5 - 1)
        torch.testing.assert_close(logits[t], expected, rtol=0, atol=1e-6)
