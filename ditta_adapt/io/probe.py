"""What a video file says of itself, without decoding it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ditta_adapt.errors import InputError
from ditta_adapt.io.decoding import USUAL_RATE
from ditta_adapt.io.files import is_file
from ditta_adapt.io.optional import require

# Transfer functions of ITU-R BT.2100, by their numbers in H.273.
_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Of the first video stream of a file.

    Attributes:
        times: seconds of its pictures, increasing: of all frames of a file that is whole.
        rate: nominal frames a second; the usual one if the file names none.
        hdr: name of the transfer function of a picture of high dynamic range, or `""`.
        sound: whether there is a sound track.
    """

    times: tuple[Fraction, ...]
    rate: Fraction
    hdr: str
    sound: bool


def probe_video(path: Path) -> VideoInfo:
    """Read the headers of a video file, and the times of its packets.

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
            rate = Fraction(stream.guessed_rate or stream.average_rate or USUAL_RATE)
            transfer = getattr(stream.codec_context, "color_trc", None)
            return VideoInfo(
                times=_times(container, stream, rate),
                rate=rate,
                hdr=_HDR.get(int(transfer), "") if transfer is not None else "",
                sound=bool(container.streams.audio),
            )
    except av.FFmpegError as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from error


def _times(container: Any, stream: Any, rate: Fraction) -> tuple[Fraction, ...]:
    """Of all packets with a picture; those without a time come one after the other."""
    av = require("av")
    stamps: list[Fraction] = []
    count = 0
    try:
        for packet in container.demux(stream):
            count += packet.size > 0
            if packet.size > 0 and packet.pts is not None:
                stamps.append(packet.pts * stream.time_base)
    # What comes before the damage can be decoded.
    except av.FFmpegError:
        pass
    if len(stamps) < count:
        return tuple(index / rate for index in range(count))
    return tuple(sorted(set(stamps)))
