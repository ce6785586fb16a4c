"""A video file, and how often it is decoded."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset, video_file
from ditta_adapt.datasets.video_file import VideoFrames
from ditta_adapt.errors import DamagedFileWarning
from ditta_adapt.io.decoding import VideoFile
from ditta_adapt.io.video import read_video, write_video
from tests.io.clips import break_packet
from tests.toys import toy_video

LENGTH = 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "my clip.mp4"
    write_video(path, toy_video(LENGTH, size=(32, 48)))
    return path


@pytest.fixture(scope="module")
def decoded(clip: Path) -> list[np.ndarray]:
    return list(read_video(clip))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames have been decoded, one entry a pass."""
    passes: list[int] = []

    class Counting(VideoFile):
        def __iter__(self) -> Iterator[tuple[Fraction, np.ndarray]]:
            passes.append(0)
            for pair in super().__iter__():
                passes[-1] += 1
                yield pair

    monkeypatch.setattr(video_file, "VideoFile", Counting)
    return passes


def test_video(clip: Path, decoded: list[np.ndarray]) -> None:
    dataset = open_dataset("video", clip)
    assert (dataset.names, len(dataset)) == (("my clip",), 1)
    video = dataset[0]
    assert len(video.frames) == len(video.labels) == LENGTH
    assert list(video.labels) == [None] * LENGTH
    for frames in (list(video.frames), [video.frames[t] for t in range(LENGTH)]):
        np.testing.assert_array_equal(frames, decoded)
    np.testing.assert_array_equal(list(video.frames[3:9:2]), decoded[3:9:2])


@settings(max_examples=25)
@given(indices=st.lists(st.integers(-LENGTH, LENGTH - 1), min_size=1, max_size=8))
def test_any_order(clip: Path, decoded: list[np.ndarray], indices: list[int]) -> None:
    frames = VideoFrames(clip)
    for index in indices:
        frame = frames[index]
        np.testing.assert_array_equal(frame, decoded[index])
        frame[:] = 0  # The caller's own.


def test_cost(clip: Path, counted: list[int], unchecked: None) -> None:
    video = open_dataset("video", clip)[0]
    assert counted == []
    assert sum(1 for _ in video.frames) == LENGTH
    assert counted == [LENGTH]  # An iterator needs no length.
    assert len(video.frames) == len(video.frames[:]) == LENGTH
    assert counted == [LENGTH] * 2
    for t in range(LENGTH):
        _ = video.frames[t]
    assert counted == [LENGTH] * 3
    for t in range(LENGTH - 8, LENGTH):
        _ = video.frames[t]
    assert counted == [LENGTH] * 3  # The last eight are kept.
    _ = video.frames[LENGTH - 9]
    assert counted == [LENGTH] * 3 + [LENGTH - 8]
    _ = video.frames[LENGTH - 1]
    assert counted == [LENGTH] * 4


def test_warm_up_and_rest_are_one_pass(clip: Path, counted: list[int], unchecked: None) -> None:
    frames = open_dataset("video", clip)[0].frames
    assert len(list(frames[:5])) + len(list(frames[5:])) == LENGTH
    assert counted == [LENGTH] * 2  # One for the length.


def test_no_video(tmp_path: Path, unchecked: None) -> None:
    with pytest.raises(InputError, match=r"no file .*absent\.mp4; expected a video file"):
        open_dataset("video", tmp_path / "absent.mp4")
    with pytest.raises(InputError, match="expected a video file"):
        open_dataset("video", tmp_path)
    (tmp_path / "text.mp4").write_text("not a video")
    video = open_dataset("video", tmp_path / "text.mp4")[0]
    for read in (
        lambda: len(video.frames),
        lambda: video.frames[0],
        lambda: next(iter(video.frames)),
    ):
        with pytest.raises(InputError, match=r"text\.mp4 cannot be read"):
            read()


def test_damaged_file_warns_once(
    tmp_path: Path, clip: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes())
    break_packet(path, 9)
    frames = VideoFrames(path)
    assert frames.damage == ""
    assert next(iter(frames)).shape == (32, 48, 3)
    assert len(recwarn) == 0
    assert len(frames) == LENGTH - 1
    assert frames.damage.startswith("only 19 frames could be decoded (")
    for _ in range(2):
        assert len(list(frames)) == LENGTH - 1
        assert frames[LENGTH - 2].shape == (32, 48, 3)
    (warning,) = recwarn
    assert warning.category is DamagedFileWarning
    assert str(warning.message) == f"{path} is damaged: {frames.damage}."


def test_whole_file_has_no_damage(clip: Path) -> None:
    frames = VideoFrames(clip)
    assert len(list(frames)) == len(frames) == LENGTH
    assert frames.damage == ""


def test_file_that_shrinks(tmp_path: Path, clip: Path, unchecked: None) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes())
    frames = VideoFrames(path)
    assert len(frames) == LENGTH
    write_video(path, toy_video(3, size=(32, 48)))
    with pytest.raises(InputError, match=r"clip\.mp4 ended at frame 3 of 20"):
        frames[10]
