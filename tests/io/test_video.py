"""Video files, written and read back."""

import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError, MissingDependencyError
from ditta_adapt.errors import DamagedFileWarning
from ditta_adapt.io.video import read_timed_video, read_video, write_video
from tests.io.clips import break_packet
from tests.toys import toy_video


def test_round_trip(tmp_path: Path) -> None:
    frames = toy_video(7, size=(64, 96))
    write_video(tmp_path / "clip.mp4", iter(frames), fps=10)
    read = list(read_video(tmp_path / "clip.mp4"))
    assert len(read) == 7
    for before, after in zip(frames, read, strict=True):
        assert after.shape == (64, 96, 3)
        assert after.dtype == np.uint8
        assert np.abs(before.astype(int) - after).mean() < 6  # The codec loses a little.


def test_times_and_frames(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", toy_video(5, size=(32, 64)), fps=10)
    times, frames = zip(*read_timed_video(tmp_path / "clip.mp4", max_side=32), strict=True)
    assert times == tuple(Fraction(t, 10) for t in range(5))
    np.testing.assert_array_equal(frames, list(read_video(tmp_path / "clip.mp4", max_side=32)))


def test_scaling_down_only(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", toy_video(2, size=(64, 128)))
    assert next(read_video(tmp_path / "clip.mp4", max_side=50)).shape == (24, 50, 3)
    assert next(read_video(tmp_path / "clip.mp4", max_side=500)).shape == (64, 128, 3)


def test_a_damaged_file_warns_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, toy_video(12))
    break_packet(path, 6)
    for read in (read_video, read_timed_video):
        with pytest.warns(
            DamagedFileWarning, match=r"clip\.mp4 is damaged: only 11 frames"
        ) as seen:
            assert len(list(read(path))) == 11
        assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(read_video(path))


def test_files_that_are_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video at"):
        next(read_video(tmp_path / "missing.mp4"))
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(InputError, match="cannot be read"):
        next(read_video(tmp_path / "text.mp4"))


def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[video\]"):
        next(read_video("clip.mp4"))
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[video\]"):
        write_video(tmp_path / "clip.mp4", toy_video(2))
