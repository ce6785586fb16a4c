"""The example that labels a live video: what it writes, how it ends, and what it keeps."""

import gc
import signal
import weakref
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.io import write_video
from examples import camera_stream

FRAMES, _ = render_video(seed=3, num_frames=7, size=(96, 160))


def test_a_line_of_shares_for_every_frame_after_the_warm_up(tmp_path: Path) -> None:
    clip, log = tmp_path / "clip.mp4", tmp_path / "shares.csv"
    write_video(clip, FRAMES)
    for _ in range(2):
        options = [str(clip), "--warmup", "4", "--max-side", "96", "--log", str(log)]
        assert camera_stream.main(options) == 0
    header, *lines = log.read_text().splitlines()
    assert header.split(",") == ["seconds", *CLASS_NAMES]
    # Appended, under one header.
    assert len(lines) == 2 * 3
    for line in lines:
        _, *shares = (float(number) for number in line.split(","))
        assert sum(shares) == pytest.approx(1, abs=0.001)
        assert shares[CLASS_NAMES.index("road")] > 0.05
    times = [float(line.split(",")[0]) for line in lines[:3]]
    assert times == sorted(set(times))


def test_shares_are_printed_where_no_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(tmp_path / "clip.mp4", FRAMES[:3])
    assert camera_stream.main([str(tmp_path / "clip.mp4"), "--warmup", "2"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert "2 warm-up frames" in printed.err


def test_ctrl_c_ends_it_and_few_frames_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a camera that never stops: a real signal, and frames that are counted while they live."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most, ended = 0, []

    class Frame(np.ndarray):
        __hash__ = object.__hash__

    def endless(source: str, *, max_side: int) -> Iterator[tuple[Fraction, np.ndarray]]:
        nonlocal most
        assert (source, max_side) == ("/dev/video0", 640)
        try:
            for t in count():
                if t == 12:
                    signal.raise_signal(signal.SIGINT)
                if t > 3:
                    most = max(most, len(alive))
                frame = FRAMES[t % len(FRAMES)].copy().view(Frame)
                alive.add(frame)
                yield Fraction(t, 25), frame
                del frame
        finally:
            ended.append(True)

    monkeypatch.setattr(camera_stream, "LiveVideo", endless)
    # A shell that starts the tests in the background has them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert camera_stream.main(["/dev/video0", "--warmup", "3"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    gc.collect()
    assert ended == [True]
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1 + 12 - 3
    assert printed.err.endswith("stopped\n")
    assert most <= 2


def test_a_source_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera_stream.main([str(tmp_path / "no-camera")]) == 1
    assert "no-camera cannot be read" in capsys.readouterr().err
