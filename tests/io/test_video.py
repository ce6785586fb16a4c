"""Video files, written and read back."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError, MissingDependencyError
from ditta_adapt.io.video import read_video, write_video
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


def test_odd_sides_lose_a_pixel(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", toy_video(2, size=(33, 47)))
    assert next(read_video(tmp_path / "clip.mp4")).shape == (32, 46, 3)


def test_scaling_down_only(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", toy_video(2, size=(64, 128)))
    assert next(read_video(tmp_path / "clip.mp4", max_side=50)).shape == (24, 50, 3)
    assert next(read_video(tmp_path / "clip.mp4", max_side=500)).shape == (64, 128, 3)


def test_files_that_are_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video at"):
        next(read_video(tmp_path / "missing.mp4"))
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(InputError, match="cannot be read"):
        next(read_video(tmp_path / "text.mp4"))


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        write_video(tmp_path / "clip.mp4", [])
    assert not (tmp_path / "clip.mp4").exists()
    with pytest.raises(InputError, match="cannot be written"):
        write_video(tmp_path / "nowhere" / "clip.mp4", toy_video(2))


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[video\]"):
        next(read_video("clip.mp4"))
