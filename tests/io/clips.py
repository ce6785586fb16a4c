"""Small video files for tests: plain ones, and ones with what `write_video` does not write."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def write_streamable(path: Path, frames: Sequence[np.ndarray]) -> None:
    """An MP4 file with its index in front, so that it can be cut and still be opened."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())


def packets(path: Path) -> list[tuple[int, int]]:
    """Position and size of each packet, in the order of the file."""
    with av.open(str(path)) as container:
        found = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    return sorted(found)


def cut(path: Path, number: int, *, extra: int = 0) -> None:
    """Keep the first packets of a file, and some bytes of the next."""
    position, size = packets(path)[number - 1]
    path.write_bytes(path.read_bytes()[: position + size + extra])


def break_packet(path: Path, number: int) -> None:
    """Overwrite a packet with zeros; the index of the file stays as it is."""
    position, size = packets(path)[number]
    content = bytearray(path.read_bytes())
    content[position : position + size] = bytes(size)
    path.write_bytes(content)


def set_matrix(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Write a display matrix into the track header of an MP4 file of one track."""
    content = bytearray(path.read_bytes())
    # Type, version and flags, times and ids, reserved, layer and volume: then nine numbers.
    start = content.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    entries = np.frombuffer(content[start : start + 36], ">i4").copy()
    assert entries.tolist() == [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]
    entries[[0, 1, 3, 4]] = [round(entry * 65536) for entry in (a, b, c, d)]
    content[start : start + 36] = entries.tobytes()
    path.write_bytes(content)


def write_planes(path: Path, planes: Planes, *, matrix: int | None, full: bool) -> None:
    """A clip of one frame, lossless, with its Y, U and V at full size as they are.

    `matrix` is the number that H.264 has for it, 1 for BT.709 and 6 for BT.601; none to name
    neither matrix nor range.
    """
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv444p")
    for plane, samples in zip(frame.planes, planes, strict=True):
        rows = np.zeros((height, plane.line_size), np.uint8)
        rows[:, :width] = samples
        plane.update(rows.tobytes())
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        stream.options = {"qp": "0"}
        if matrix is not None:
            stream.codec_context.colorspace = frame.colorspace = matrix
            stream.codec_context.color_range = frame.color_range = 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def read_planes(path: Path) -> Planes:
    """Y, U and V of the first frame of such a clip, as decoded."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    rows = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    )
    y, u, v = (plane.astype(np.float64) for plane in rows)
    return y, u, v
