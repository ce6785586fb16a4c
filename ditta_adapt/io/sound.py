"""The sound of a video, copied beside new pictures as it is."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ditta_adapt.io.optional import require


class SoundTrack:
    """The first sound track of a file, packet by packet.

    Packets are copied, not decoded; what ends before the start, or begins after what is asked for,
    is left out. The packet before the first one stays, since decoders need it to begin with.

    Args:
        path: of a file with pictures and sound.
        start: seconds as the file has them; becomes time 0.

    Attributes:
        problem: why there is no sound, in plain words, or `""`; known after `add_to`.
    """

    def __init__(self, path: Path, start: Fraction) -> None:
        self.problem = ""
        self._path, self._start = path, start
        self._packets: Iterator[tuple[Fraction, Any]] = iter(())
        self._waiting: tuple[Fraction, Any] | None = None
        self._container: Any = None

    def add_to(self, container: Any) -> None:
        """Add a stream for the sound to a container of PyAV that is written to."""
        av = require("av")
        try:
            source = av.open(str(self._path))
        except (av.FFmpegError, OSError) as error:
            self.problem = f"the sound cannot be read ({error})"
            return
        if not source.streams.audio:
            source.close()
            return
        stream = source.streams.audio[0]
        name = stream.codec_context.name
        if name not in container.supported_codecs:
            source.close()
            self.problem = f"the sound is left out: {name} does not go into {container.format.name}"
            return
        self._container = container
        self._packets = self._read(source, stream, container.add_stream_from_template(stream))

    def mux(self, *, until: Fraction) -> None:
        """Write the packets that begin before a time, in seconds from the start."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting[0] >= until:
                return
            self._container.mux(self._waiting[1])
            self._waiting = None

    def _read(self, source: Any, stream: Any, target: Any) -> Iterator[tuple[Fraction, Any]]:
        av = require("av")
        with source:
            try:
                for packet in source.demux(stream):
                    if packet.pts is None or packet.size == 0:
                        continue
                    time = packet.pts * stream.time_base - self._start
                    if time + (packet.duration or 0) * stream.time_base < 0:
                        continue
                    offset = round(self._start / stream.time_base)
                    packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
                    packet.stream = target
                    yield time, packet
            # Of a damaged file the rest is silent.
            except av.FFmpegError as error:
                self.problem = f"the sound ends early ({error})"
