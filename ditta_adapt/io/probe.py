"""What a video file says of itself, without decoding it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ditta_adapt.errors import InputError
from ditta_adapt.io.files import is_file
from ditta_adapt.io.optional import require

# Transfer functions of ITU-R BT.2100, by their numbers in H.273.
_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Of the first video stream of a file.

    Attributes:
        frames: packets with a picture: the frames of a file that is whole.
        rate: nominal frames a second; none if the file names none.
        hdr: name of the transfer function of a picture of high dynamic range, or `""`.
        sound: whether there is a sound track.
    """

    frames: int
    rate: Fraction | None
    hdr: str
    sound: bool


def probe_video(path: Path) -> VideoInfo:
    """Read the headers of a video file, and count its packets.

    Raises:
        InputError: the file is missing, or is no video.
        MissingDependencyError: PyAV is not installed.
    """
    av = require("av")
    if not is_file(path):
        raise InputError(f"there is no video at {path}.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} has no video stream.")
            stream = container.streams.video[0]
            rate = stream.guessed_rate or stream.average_rate
            transfer = getattr(stream.codec_context, "color_trc", None)
            return VideoInfo(
                frames=_count(container, stream),
                rate=None if not rate else Fraction(rate),
                hdr=_HDR.get(int(transfer), "") if transfer is not None else "",
                sound=bool(container.streams.audio),
            )
    except av.FFmpegError as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from error


def _count(container: Any, stream: Any) -> int:
    av = require("av")
    count = 0
    try:
        for packet in container.demux(stream):
            count += packet.size > 0
    # What comes before the damage can be decoded.
    except av.FFmpegError:
        pass
    return count
