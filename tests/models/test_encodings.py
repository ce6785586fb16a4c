"""What is kept of the warm-up: within the budget, and true; what had no room is computed again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import CacheBudget
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.models.encodings import CacheSpace, FrameCache, at_least, join_batch
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.progress import silent
from ditta_adapt.targets.warm_up import WarmUp
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

CPU = torch.device("cpu")
# Memory without data: a device that is not the CPU, on every machine.
META = torch.device("meta")


def test_the_device_is_filled_first_then_the_cpu() -> None:
    room = CacheSpace(META, CacheBudget(device_bytes=10, cpu_bytes=6))
    assert [room.reserve(size) for size in (6, 6, 4, 1)] == [META, CPU, META, None]


def test_on_the_cpu_the_budgets_add_up() -> None:
    room = CacheSpace(CPU, CacheBudget(device_bytes=10, cpu_bytes=6))
    assert [room.reserve(size) for size in (16, 1)] == [CPU, None]


@given(
    sizes=st.lists(st.integers(0, 50), max_size=20),
    device_bytes=st.integers(0, 200),
    cpu_bytes=st.integers(0, 200),
)
def test_no_more_is_kept_than_there_is_room(
    sizes: list[int], device_bytes: int, cpu_bytes: int
) -> None:
    room = CacheSpace(META, CacheBudget(device_bytes=device_bytes, cpu_bytes=cpu_bytes))
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

    cache = FrameCache(
        compute, 3, CPU, CacheSpace(CPU, CacheBudget(device_bytes=kept * 16, cpu_bytes=0))
    )
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
    cache = WarmUp.from_frames(segmenter, frames, silent).encodings
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
    budget = CacheBudget(device_bytes=room, cpu_bytes=0)
    warm_up = WarmUp.from_frames(segmenter, frames, silent, budget=budget)
    logits = [warm_up.grid_logits(t) for t in range(3)]
    for t, frame in enumerate(frames):
        expected = segmenter.model(frame[None].float() / 127.5 - 1)
        torch.testing.assert_close(logits[t], expected, rtol=0, atol=1e-6)


def test_two_encodings_as_a_batch() -> None:
    """Tensors one after the other, whatever they are nested in; the rest is the first's."""
    first = ((torch.zeros(1, 2),), {"grid": (3, 4), "maps": [torch.ones(1, 5, 6)]})
    second = ((torch.ones(1, 2),), {"grid": (3, 4), "maps": [torch.zeros(1, 5, 6)]})
    (rows,), others = join_batch(first, second)
    assert rows.tolist() == [[0, 0], [1, 1]]
    assert others["grid"] == (3, 4)
    assert others["maps"][0].flatten(1).mean(dim=1).tolist() == [1, 0]


def test_what_has_no_batch_axis_is_the_firsts() -> None:
    first = [torch.tensor([3, 4]), torch.tensor(7.0), torch.zeros(1, 2)]
    second = [torch.tensor([5, 6]), torch.tensor(8.0), torch.ones(1, 2)]
    size, scale, maps = join_batch(first, second)
    assert (size.tolist(), float(scale), len(maps)) == ([3, 4], 7.0, 2)


def test_a_batch_of_two_decodes_to_what_the_two_do() -> None:
    segmenter = toy_segmenter()
    encoded = WarmUp.from_frames(segmenter, frames_to_tensors(toy_video(2)), silent).encodings
    both = segmenter.decode(join_batch(encoded[0], encoded[1])).logits
    for t in range(2):
        alone = segmenter.decode(encoded[t]).logits[0]
        torch.testing.assert_close(both[t], alone, rtol=1e-5, atol=1e-5)


def test_only_fewer_bits_are_cast() -> None:
    nest = [torch.zeros(1, dtype=dtype) for dtype in (torch.float16, torch.float64, torch.int8)]
    found = [tensor.dtype for tensor in at_least(torch.float32, nest)]
    assert found == [torch.float32, torch.float64, torch.int8]
