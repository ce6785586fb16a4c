"""Video compression: the clip goes through H.265 at a high rate factor, in memory."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ditta_adapt.errors import InputError, MissingDependencyError
from ditta_adapt.io.optional import require

# The frame rate steers the encoders' bit allocation.
_FRAMES_PER_SECOND = 24
# Two coding blocks of x265. For frames under one, x265 4.2 writes past its buffers, which can end
# the process; for frames one block wide it reads what it has not written, so that runs differ.
_SMALLEST_SIDE = 128
# One thread, so that the number of cores does not add differences of its own.
_ONE_THREAD = "log-level=none:frame-threads=1:pools=none"


def crf_compression(
    frames: Iterable[UInt8[np.ndarray, "H W 3"]], crf: int
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """H.265 at `crf`, 24 frames a second, 4:2:0, full range.

    The encoder looks ahead, so all frames are read before the first one is returned; they are
    held as YUV, 1.5 bytes a pixel. Odd or small frames are padded by repeating the border, and cut
    back. The program that made DAVIS-C first stored the clip as H.264 at its default quality, a
    small loss next to this one, which is left out.

    Not repeatable bit for bit: for some clips, small ones above all, x265 4.2 gives slightly other
    pixels when run again, even on one thread. Where that matters, keep the first result.

    Args:
        frames: uint8, of one size.
        crf: constant rate factor of x265, in 0..51; larger is worse.

    Yields:
        uint8 of the same shape, one for each frame.

    Raises:
        MissingDependencyError: PyAV is not installed, or was built without libx265.
        InputError: the encoder cannot take these frames.
    """
    av = _av_with_h265()
    shape: tuple[int, ...] = ()
    pictures = []
    for frame in frames:
        shape = frame.shape
        picture = av.VideoFrame.from_ndarray(_pad(frame), format="rgb24")
        pictures.append(picture.reformat(format="yuv420p", dst_color_range="JPEG"))
    if not pictures:
        return
    try:
        pictures = _through_h265(av, pictures, crf)
    except av.FFmpegError as error:
        raise InputError(
            f"libx265 cannot encode {len(pictures)} frames of {shape[0]} x {shape[1]} (H x W) at a "
            f"rate factor of {crf}: {error}"
        ) from error
    for picture in pictures:
        image = picture.reformat(format="rgb24", src_color_range="JPEG").to_ndarray()
        yield np.ascontiguousarray(image[: shape[0], : shape[1]])


def _through_h265(av: Any, pictures: list[Any], crf: int) -> list[Any]:
    """Encode and decode; as many pictures come back as went in."""
    encode = av.CodecContext.create("libx265", "w")
    encode.width, encode.height = pictures[0].width, pictures[0].height
    encode.pix_fmt = "yuv420p"
    encode.framerate, encode.time_base = _FRAMES_PER_SECOND, Fraction(1, _FRAMES_PER_SECOND)
    encode.options = {"crf": str(crf), "x265-params": _ONE_THREAD}
    decode = av.CodecContext.create("hevc", "r")
    result: list[Any] = []
    for index, picture in enumerate([*pictures, None]):  # None: hand out what is still held back.
        if picture is not None:
            picture.pts, picture.time_base = index, encode.time_base
        for packet in encode.encode(picture):
            result += decode.decode(packet)
    result += decode.decode(None)
    return result


def _pad(frame: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "padded_H padded_W 3"]:
    extra = [max(side + side % 2, _SMALLEST_SIDE) - side for side in frame.shape[:2]]
    return np.pad(frame, ((0, extra[0]), (0, extra[1]), (0, 0)), mode="edge")


def _av_with_h265() -> Any:
    av = require("av")
    if "libx265" not in av.codecs_available:
        raise MissingDependencyError(
            f"the installed PyAV {av.__version__} has no libx265, which crf_compression needs. The "
            "wheels on PyPI have it: pip install --force-reinstall --only-binary :all: av"
        )
    return av
