"""`segment(readapt_every=...)`: when a stream adapts again, to what, and what it starts from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import AdaptConfig, InputError, Progress, wrap
from tests.toys import toy_segmenter, toy_video

FRAMES = list(toy_video(17, (32, 40), 0))


def labels(stream: Iterator[torch.Tensor]) -> list[torch.Tensor]:
    return [frame.clone() for frame in stream]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def model(**options: Any) -> Any:
    return wrap(toy_segmenter(), config=AdaptConfig(safety=None, **options))


def test_is_adapting_by_hand() -> None:
    """Warm-up of 3, then 14 frames: after 5 of them, and after 10, to the last 3."""
    found = labels(model().segment(FRAMES, warmup=3, readapt_every=5))
    by_hand = model()
    expected = labels(by_hand.segment(FRAMES[:8], warmup=3))
    by_hand.adapt(FRAMES[5:8])
    expected += [by_hand(frame) for frame in FRAMES[8:13]]
    by_hand.adapt(FRAMES[10:13])
    expected += [by_hand(frame) for frame in FRAMES[13:]]
    assert same(found, expected)
    once = labels(model().segment(FRAMES, warmup=3))
    assert same(found[:8], once[:8])
    assert not same(found, once)


def test_a_frame_comes_before_what_it_is_adapted_to() -> None:
    """The label of a frame does not wait; the one after it does."""
    told: list[Progress] = []
    stream = model().segment(iter(FRAMES), warmup=2, readapt_every=1, progress=told.append)
    for _ in range(3):
        next(stream)
    before = len(told)
    next(stream)
    assert len(told) == 2 * before


def test_behind_the_last_frame_nothing_is_adapted() -> None:
    told: list[Progress] = []
    list(model().segment(FRAMES[:8], warmup=4, readapt_every=4, progress=told.append))
    once: list[Progress] = []
    list(model().segment(FRAMES[:8], warmup=4, progress=once.append))
    assert told == once


def test_frames_of_another_size_begin_anew() -> None:
    """The memory is cleared for them, and only they are adapted to."""
    turned = [np.ascontiguousarray(frame.transpose(1, 0, 2)) for frame in FRAMES]
    video_model = model()

    def camera() -> Iterator[np.ndarray]:
        yield from FRAMES[:8]
        video_model.clear_memory()
        yield from turned[:5]

    found = labels(video_model.segment(camera(), warmup=4, readapt_every=6))
    assert [tuple(each.shape) for each in found] == [(32, 40)] * 8 + [(40, 32)] * 5
    # After two frames of the new size.
    assert video_model.report.num_frames == 2


def test_more_frames_than_came_between_are_adapted_to() -> None:
    """With a longer warm-up than the pause, frames are adapted to more than once."""
    video_model = model()
    labels(video_model.segment(FRAMES, warmup=6, readapt_every=2))
    assert video_model.report.num_frames == 6


def test_a_camera_may_use_its_buffer_again() -> None:
    buffer = np.empty_like(FRAMES[0])

    def camera() -> Iterator[np.ndarray]:
        for frame in FRAMES:
            buffer[:] = frame
            yield buffer

    found = labels(model().segment(camera(), warmup=3, readapt_every=5))
    assert same(found, labels(model().segment(FRAMES, warmup=3, readapt_every=5)))


def test_a_short_video_never_comes_to_it() -> None:
    found = labels(model().segment(FRAMES[:4], warmup=8, readapt_every=1))
    assert same(found, labels(model().segment(FRAMES[:4], warmup=8)))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True])
def test_what_is_refused(wrong: Any, unchecked: None) -> None:
    with pytest.raises(InputError, match="readapt_every is"):
        model().segment(FRAMES, readapt_every=wrong)
    with pytest.raises(InputError, match="warmup 0; expected a warm-up"):
        model().segment(FRAMES, warmup=0, readapt_every=3)
