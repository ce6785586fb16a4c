"""Video files written: frames encoded as H.264, at a rate or at times of their own."""

import math
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.files import as_path
from ditta_adapt.io.optional import require

# Of times of their own: the clock of MPEG, in which the usual rates of video are whole numbers.
_TICK = Fraction(1, 90_000)
_SLOWEST = Fraction(1, 1000)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction = 12,
    times: Iterable[float | Fraction] | None = None,
) -> None:
    """Encode frames as H.264.

    The file is complete before it takes the place of an older one; where writing fails, the older
    one stays.

    Args:
        path: its suffix says the format, such as `.mp4`.
        frames: `(H, W, 3)` uint8 RGB of one size, at least one. A side that is odd gets one more
            pixel, a copy of the last.
        fps: frames a second, 1/1000 to 90000; 29.97 and such are kept as they are.
        times: when each frame is shown: seconds, strictly increasing by at least 1/90000, one a
            frame. The first frame is shown at once, the others as long after it as the times say,
            and of `fps` only the length of the last frame is taken.

    Raises:
        InputError: there is no frame, `fps` or `times` are not as above, or the file cannot be
            written.
        ShapeError: a frame is of another size than the first.
        MissingDependencyError: PyAV is not installed.
    """
    target, rate = as_path(path), _rate(fps)
    # Beside the file, so that it can take its place in one step.
    partial = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
    try:
        if times is None:
            _encode(target, partial, enumerate(frames), rate, 1 / rate)
        else:
            _encode(target, partial, _stamped(frames, times), rate, _TICK)
        with _named_errors(target):
            os.replace(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _rate(fps: float | Fraction) -> Fraction:
    if not (math.isfinite(fps) and _SLOWEST <= fps <= 1 / _TICK):
        raise InputError(f"fps is {fps}; expected frames a second, {_SLOWEST} to {1 / _TICK}.")
    # 1001 is the denominator of the rates of NTSC.
    exact = fps if isinstance(fps, Fraction) else Fraction(float(fps))
    return exact.limit_denominator(1001)


def _stamped(
    frames: Iterable[np.ndarray], times: Iterable[float | Fraction]
) -> Iterator[tuple[int, np.ndarray]]:
    """Each frame with its time since the first, in ticks."""
    first, last = None, -1
    for index, (frame, time) in enumerate(zip_longest(frames, times)):
        if frame is None or time is None:
            raise InputError(
                f"there are {index} {'frames' if frame is None else 'times'} and more "
                f"{'times' if frame is None else 'frames'}; expected one time a frame."
            )
        if not math.isfinite(time):
            raise InputError(f"time {index} is {time}; expected seconds.")
        seconds = time if isinstance(time, Fraction) else Fraction(float(time))
        first = seconds if first is None else first
        stamp = round((seconds - first) / _TICK)
        if stamp <= last:
            raise InputError(
                f"time {index} is {float(time)}, not after the one before; expected strictly "
                "increasing seconds, at least 1/90000 apart."
            )
        last = stamp
        yield stamp, frame


def _encode(
    path: Path,
    partial: Path,
    frames: Iterable[tuple[int, np.ndarray]],
    rate: Fraction,
    time_base: Fraction,
) -> None:
    """Write frames, each with its time in units of `time_base`, to the file `partial`."""
    av = require("av")
    stream: Any = None
    size: tuple[int, ...] = ()
    with _named_errors(path):
        container = av.open(str(partial), mode="w")
    try:
        for stamp, frame in frames:
            if stream is None:
                size = frame.shape
                with _named_errors(path):
                    stream = _add_stream(container, size, rate, time_base)
            if frame.shape != size:
                raise ShapeError(
                    f"a frame to write to {path} has shape {frame.shape}, but the first one has "
                    f"{size}; expected frames of one size."
                )
            with _named_errors(path):
                container.mux(stream.encode(_video_frame(frame, stamp, time_base)))
        if stream is None:
            raise InputError(f"no frames to write to {path}.")
        with _named_errors(path):
            container.mux(stream.encode())
            container.close()
    finally:
        # Where writing failed, so does closing; the first error is the one to tell.
        with suppress(av.FFmpegError, OSError):
            container.close()


def _add_stream(container: Any, shape: tuple[int, ...], rate: Fraction, time_base: Fraction) -> Any:
    stream = container.add_stream("libx264", rate=rate)
    stream.height, stream.width = (side + side % 2 for side in shape[:2])
    stream.pix_fmt, stream.options = "yuv420p", {"crf": "20"}
    stream.codec_context.time_base = time_base
    return stream


def _video_frame(frame: np.ndarray, stamp: int, time_base: Fraction) -> Any:
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoded = require("av").VideoFrame.from_ndarray(padded, format="rgb24")
    encoded.pts, encoded.time_base = stamp, time_base
    return encoded


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Errors of PyAV and of the disk inside say which file was to be written."""
    av = require("av")
    try:
        yield
    # A format that is unknown, or holds no H.264, is a ValueError.
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be written: {reason}") from error
