"""How frames come to mVC: one by one or as videos, of any kind, and what is refused."""

import gc
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics import VideoConsistency
from tests.metrics.consistency_by_hand import Video, consistency, videos

quick = settings(max_examples=30)


@pytest.fixture
def warn_always() -> Iterator[None]:
    """Torch gives some warnings only once a process; here they are to come every time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@quick
@given(video=videos(), n=st.integers(2, 5))
def test_all_forms_of_a_video_are_the_same(video: Video, n: int) -> None:
    def one_by_one(frames: np.ndarray) -> Iterator[torch.Tensor]:
        for frame in frames:
            yield torch.from_numpy(frame)

    metric = VideoConsistency(n)
    metric.add_video(one_by_one(video[0]), list(video[1]))
    assert metric.value() == pytest.approx(consistency(n, video), nan_ok=True)


@quick
@given(
    several=st.lists(videos(), max_size=3),
    n=st.integers(2, 5),
    windows=st.sampled_from(["official", "paper"]),
    require_correct=st.booleans(),
)
def test_frame_by_frame_is_the_same_as_whole_videos(
    several: list[Video], n: int, windows: Any, require_correct: bool
) -> None:
    whole, streamed = (
        VideoConsistency(n, windows=windows, require_correct=require_correct) for _ in range(2)
    )
    for preds, targets in several:
        whole.add_video(preds, targets)
        for pred, target in zip(preds, targets, strict=True):
            before = streamed.value()
            streamed.update(pred, target)
            # What has not ended does not count.
            assert streamed.value() == before or math.isnan(before)
        assert streamed.end_video() == whole.scores[-1]
    assert streamed.scores == whole.scores


def test_a_refused_frame_alone_is_left_out() -> None:
    small, large = np.zeros((2, 2), int), np.zeros((2, 3), int)
    metric = VideoConsistency(2)
    with pytest.raises(ShapeError, match="frame 0 has shape"):
        metric.update(small[None], small[None])
    for _ in range(3):
        metric.update(small, small)
        with pytest.raises(ShapeError, match="the frames before it"):
            metric.update(large, large)
    assert metric.end_video() == [1.0]
    metric.update(large, large)


def test_a_video_that_is_open_ends_before_another_is_added() -> None:
    frames = np.zeros((4, 1, 1), int)
    metric = VideoConsistency(2)
    metric.update(frames[0], frames[0])
    with pytest.raises(InputError, match=r"expected end_video\(\) before another"):
        metric.add_video(frames, frames)
    assert metric.end_video() == []
    metric.add_video(frames, frames)
    assert metric.scores == [[], [1.0, 1.0]]


@pytest.mark.parametrize(("first", "second"), [(5, 4), (4, 5), (0, 1)])
def test_videos_of_different_length(first: int, second: int) -> None:
    """Nothing of a video that is refused counts."""
    metric = VideoConsistency(2)
    frame = np.zeros((1, 1), int)
    with pytest.raises(InputError, match="differ in length"):
        metric.add_video([frame] * first, [frame] * second)
    assert math.isnan(metric.value())


def test_maps_of_different_size() -> None:
    small, large = np.zeros((2, 2), int), np.zeros((2, 3), int)
    metric = VideoConsistency(2)
    with pytest.raises(ShapeError, match=r"frame 3: pred has shape \(2, 2\) and target \(2, 3\)"):
        metric.add_video([small] * 4, [small] * 3 + [large])
    with pytest.raises(ShapeError, match=r"frame 1 has shape \(2, 3\).*\(2, 2\)"):
        metric.add_video([small, large], [small, large])
    assert math.isnan(metric.value())


def test_an_error_of_the_frames_themselves_is_not_taken_for_a_difference_in_length() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.zeros((1, 1), int)
        raise ValueError("cannot decode frame 1")

    with pytest.raises(ValueError, match="cannot decode") as error:
        VideoConsistency(2).add_video(broken(), [np.zeros((1, 1), int)] * 2)
    assert "length" not in str(error.value)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_buffer_may_be_reused_for_the_next_frame(kind: str) -> None:
    """As decoders and inference loops do."""

    def decode(*values: int) -> Iterator[np.ndarray | torch.Tensor]:
        buffer = np.zeros((1, 1), int)
        for value in values:
            buffer[:] = value
            yield torch.from_numpy(buffer) if kind == "torch" else buffer

    metric = VideoConsistency(2)
    metric.add_video(decode(0, 1, 2, 3), decode(0, 0, 0, 0))
    assert metric.value() == 0


def test_flipped_arrays() -> None:
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]])
    assert consistency(2, (preds[..., ::-1], targets[..., ::-1])) == 0.75


def test_read_only_arrays(warn_always: None) -> None:
    """What `numpy.asarray(image)` gives must not warn."""
    targets = np.array([[[1, 1, 2, 255]]] * 3)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]], np.uint8)
    preds.flags.writeable = targets.flags.writeable = False
    assert consistency(2, (preds, targets)) == 0.75


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64], ids=lambda d: d.__name__)
def test_label_maps_of_any_integer_dtype(dtype: type) -> None:
    targets = np.array([[[1, 1, 2, 255]]] * 3, dtype)
    preds = np.array([[[1, 5, 2, 7]], [[1, 5, 3, 7]], [[1, 5, 3, 7]]], dtype)
    assert consistency(2, (preds, targets)) == 0.75


def test_frames_are_maps() -> None:
    frames = np.zeros((3, 1, 2, 2), int)
    with pytest.raises(ShapeError, match=r"frame 0 has shape \(1, 2, 2\); expected \(H, W\)"):
        VideoConsistency(2).add_video(frames, frames)


@pytest.mark.parametrize("windows", ["official", "paper"])
def test_memory_does_not_grow_with_the_video(windows: Any) -> None:
    size = (7, 11)
    alive: list[int] = []
    metric = VideoConsistency(3, windows=windows)
    for _ in range(8):
        metric.update(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
        alive.append(sum(type(x) is torch.Tensor for x in gc.get_objects()))
    assert len(set(alive[2:])) == 1
