"""Video files written: sizes, rates, times, and what is left where writing fails."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError, ShapeError
from ditta_adapt.io.video import read_timed_video, read_video, write_video
from tests.toys import toy_video


def times_of(path: Path) -> list[Fraction]:
    return [time for time, _ in read_timed_video(path)]


@pytest.mark.parametrize("size", [(33, 47), (32, 47), (33, 48)])
def test_odd_sides_get_a_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    """White below and to the right of black: cut, or filled with black, the last pixel is dark."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[-1], frame[:, -1] = 255, 255
    write_video(tmp_path / "clip.mp4", [frame] * 2)
    read = next(read_video(tmp_path / "clip.mp4"))
    height, width = size[0] + size[0] % 2, size[1] + size[1] % 2
    assert read.shape == (height, width, 3)
    assert read[-1].min() > 200
    assert read[:, -1].min() > 200
    assert read[2:-4, 2:-4].max() < 50


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (12, Fraction(12)),
        (29.97, Fraction(2997, 100)),
        (30000 / 1001, Fraction(30000, 1001)),
        (Fraction(24000, 1001), Fraction(24000, 1001)),
        (Fraction(1, 60), Fraction(1, 60)),
    ],
)
def test_rates_are_kept(tmp_path: Path, fps: float | Fraction, exact: Fraction) -> None:
    write_video(tmp_path / "clip.mp4", toy_video(5), fps=fps)
    assert times_of(tmp_path / "clip.mp4") == [t / exact for t in range(5)]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e-4, 1e9])
def test_rates_that_are_none(tmp_path: Path, fps: float) -> None:
    with pytest.raises(InputError, match="expected frames a second, 1/1000 to 90000"):
        write_video(tmp_path / "clip.mp4", toy_video(2), fps=fps)


def test_times_are_kept(tmp_path: Path) -> None:
    """As far as a tick of the clock, and from the first frame on."""
    times = [3, 3 + Fraction(1, 30), 3.1, np.float64(3.5), Fraction(10, 3), 7, 7.0001]
    times.sort()
    write_video(tmp_path / "clip.mp4", toy_video(len(times)), times=iter(times))
    read = times_of(tmp_path / "clip.mp4")
    assert len(read) == len(times)
    for before, after in zip(times, read, strict=True):
        assert abs(float(before) - 3 - after) <= 1 / 180_000 + 1e-9
    # Written again it is the same.
    write_video(tmp_path / "again.mp4", read_video(tmp_path / "clip.mp4"), times=read)
    assert times_of(tmp_path / "again.mp4") == read


@pytest.mark.parametrize(
    ("times", "match"),
    [
        ([0, 1, 1], "time 2 is 1.0, not after the one before"),
        ([1, 2, 0], "time 2 is 0.0, not after"),
        ([0, 1, 1.000001], "at least 1/90000 apart"),
        ([0, float("nan"), 1], "time 1 is nan; expected seconds"),
        ([0, 1], "there are 2 times and more frames"),
        ([0, 1, 2, 3], "there are 3 frames and more times"),
    ],
)
def test_wrong_times(tmp_path: Path, times: list[float], match: str) -> None:
    with pytest.raises(InputError, match=match):
        write_video(tmp_path / "clip.mp4", toy_video(3), times=times)
    assert list(tmp_path.iterdir()) == []


def breaking_off() -> Iterator[np.ndarray]:
    yield from toy_video(3)
    raise RuntimeError("no more")


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(RuntimeError, match="no more"):
        write_video(path, breaking_off())
    assert list(tmp_path.iterdir()) == []
    write_video(path, toy_video(2))
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="no more"):
        write_video(path, breaking_off())
    other_size = [*toy_video(2, size=(32, 48)), *toy_video(1, size=(32, 50))]
    with pytest.raises(
        ShapeError, match=r"shape \(32, 50, 3\), but the first one has \(32, 48, 3\)"
    ):
        write_video(path, other_size)
    with pytest.raises(InputError, match="no frames to write"):
        write_video(path, [])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    write_video(path, toy_video(4))
    assert len(times_of(path)) == 4


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    for name in ("nowhere/clip.mp4", "file/clip.mp4", "folder.mp4", "clip.gif", "clip.words"):
        with pytest.raises(InputError, match=rf"{name} cannot be written"):
            write_video(tmp_path / name, toy_video(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.mp4"]


@pytest.mark.usefixtures("unchecked")
def test_numbers_of_any_library(tmp_path: Path) -> None:
    frames = toy_video(3, size=(32, 32))
    write_video(tmp_path / "a.mp4", frames, fps=np.float32(12))
    write_video(tmp_path / "b.mp4", frames, times=np.array([0, 0.5, 1.5], np.float32))
    times = [float(time) for time, _ in read_timed_video(tmp_path / "b.mp4")]
    assert times == [0, 0.5, 1.5]


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    """However the encoder's threads fall out."""
    video = toy_video(60, size=(40, 56))
    files = set()
    for _ in range(6):
        write_video(tmp_path / "clip.mp4", video, times=[t / 25 for t in range(60)])
        files.add((tmp_path / "clip.mp4").read_bytes())
    assert len(files) == 1
