"""Which frames of a video can be read, and what is said of the others."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.datasets.readable import ReadableFrames
from ditta_adapt.datasets.video_file import VideoFrames
from ditta_adapt.errors import DamagedFileWarning
from ditta_adapt.io.video import write_video
from tests.io.clips import break_packet
from tests.toys import toy_video

# A check of a sequence's type reads one of its items.
pytestmark = pytest.mark.usefixtures("unchecked")


class Frames(LazySequence[np.ndarray]):
    """Frames of which some cannot be read."""

    def __init__(self, readable: list[bool], error: type[Exception] = InputError) -> None:
        self._readable, self._error = readable, error

    def __len__(self) -> int:
        return len(self._readable)

    def _read(self, index: int) -> np.ndarray:
        if not self._readable[index]:
            raise self._error(f"{index}.png is broken")
        return np.full((2, 2, 3), index, np.uint8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), max_size=8), st.sampled_from([InputError, OSError]))
def test_frames_are_left_out(readable: list[bool], error: type[Exception]) -> None:
    frames = ReadableFrames(Frames(readable, error), "skip")
    assert frames.unread == ""
    broken = readable.count(False)
    if readable and broken == len(readable):
        with pytest.raises(
            InputError, match=rf"none of the {broken} frames could be read; .*\.png"
        ):
            list(frames)
        return
    for _ in range(2):  # What is not there is counted once.
        found = list(frames)
        assert [t for t, _ in found] == [t for t, good in enumerate(readable) if good]
        assert all(int(frame[0, 0, 0]) == t for t, frame in found)
        counted = f"{broken} of {len(readable)} frames could not be read"
        assert frames.unread == (counted if broken else "")


def test_or_raise() -> None:
    frames = iter(ReadableFrames(Frames([True, True, False, True]), "stop"))
    assert [next(frames)[0] for _ in range(2)] == [0, 1]
    with pytest.raises(InputError, match=r"2\.png is broken"):
        next(frames)
    whole = ReadableFrames(Frames([True] * 3), "stop")
    assert len(list(whole)) == 3


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        list(ReadableFrames(Frames([True, False], ZeroDivisionError), "skip"))


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, toy_video(12))
    break_packet(path, 6)
    frames = ReadableFrames(VideoFrames(path), "skip")
    with pytest.warns(DamagedFileWarning, match="only 11 frames"):
        assert [t for t, _ in frames] == list(range(11))
    assert frames.unread.startswith("only 11 frames could be decoded (")
    stopping = ReadableFrames(VideoFrames(path), "stop")
    with (
        pytest.warns(DamagedFileWarning),
        pytest.raises(InputError, match="the video is damaged: only 11 frames"),
    ):
        next(iter(stopping))


def test_other_words() -> None:
    with pytest.raises(InputError, match="on_error is 'ignore'; expected 'skip' or 'stop'"):
        ReadableFrames([], "ignore")
