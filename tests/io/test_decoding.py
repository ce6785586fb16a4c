"""What is read of video files: turned, in their colours, and as much of them as there is."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.io import decoding
from ditta_adapt.io.decoding import VideoFile, time_after
from tests.io.clips import (
    break_packet,
    cut,
    packets,
    read_planes,
    set_matrix,
    write_planes,
    write_streamable,
)
from tests.toys import toy_video

LENGTH = 20
TIMES = st.fractions(0, 100, max_denominator=1000)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write_streamable(path, toy_video(LENGTH, size=(32, 64)))
    return path


@pytest.fixture
def copied(clip: Path, tmp_path: Path) -> Path:
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    return tmp_path / "copy.mp4"


def frames_of(path: Path, max_side: int | None = None) -> list[np.ndarray]:
    return [frame for _, frame in VideoFile(path, max_side=max_side)]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_are_turned_and_mirrored(
    clip: Path, copied: Path, turns: int, mirrored: bool
) -> None:
    """A mirror from left to right, then quarter turns against the clock, as numpy does them."""
    x = -1 if mirrored else 1
    set_matrix(copied, *[(x, 0, 0, 1), (0, -x, 1, 0), (-x, 0, 0, -1), (0, x, -1, 0)][turns])
    for max_side in (None, 32):
        for before, after in zip(
            frames_of(clip, max_side), frames_of(copied, max_side), strict=True
        ):
            expected = np.rot90(before[:, ::-1] if mirrored else before, turns)
            np.testing.assert_array_equal(after, expected)
            assert after.flags.c_contiguous
            after[:] = 0  # The caller's own.
    if not mirrored:
        with av.open(str(copied)) as container:
            # From -180 to 180.
            assert next(container.decode(video=0)).rotation % 360 == 90 * turns


def test_other_angles_are_left(clip: Path, copied: Path) -> None:
    set_matrix(copied, 0.6, 0.8, -0.8, 0.6)
    np.testing.assert_array_equal(frames_of(copied), frames_of(clip))


def test_turned_as_opencv_turns(copied: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    set_matrix(copied, 0, 1, -1, 0)
    capture = cv2.VideoCapture(str(copied))
    image = capture.read()[1][..., ::-1]
    capture.release()
    first = frames_of(copied)[0]
    assert first.shape == image.shape == (64, 32, 3)
    assert np.abs(first.astype(int) - image).max() <= 2


def to_rgb(planes: Iterable[np.ndarray], red: float, blue: float, *, full: bool) -> np.ndarray:
    """RGB in 0..255 by the formulas of BT.601 and BT.709, of which these are the constants."""
    y, u, v = planes
    scale, chroma, black = (255, 255, 0) if full else (219, 224, 16)
    luma, pb, pr = (y - black) / scale, (u - 128) / chroma, (v - 128) / chroma
    r, b = luma + 2 * (1 - red) * pr, luma + 2 * (1 - blue) * pb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.clip(255 * np.stack([r, g, b], -1), 0, 255)


BT709, BT601 = (0.2126, 0.0722), (0.299, 0.114)


@pytest.mark.parametrize(
    ("matrix", "full", "constants"),
    [
        (1, False, BT709),
        (1, True, BT709),
        (6, False, BT601),
        (6, True, BT601),
        (None, False, BT601),
    ],
)
def test_colours(
    tmp_path: Path, matrix: int | None, full: bool, constants: tuple[float, float]
) -> None:
    """Patches of 8 x 8 over the whole of limited range, in which full range is contained."""
    rng = np.random.default_rng(0)
    y, u, v = (
        rng.integers(16, high, (6, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        for high in (236, 241, 241)
    )
    write_planes(tmp_path / "chart.mp4", (y, u, v), matrix=matrix, full=full)
    planes = read_planes(tmp_path / "chart.mp4")
    np.testing.assert_array_equal(planes, (y, u, v))
    (frame,) = frames_of(tmp_path / "chart.mp4")
    assert np.abs(frame - to_rgb(planes, *constants, full=full)).max() < 2


@given(st.lists(st.none() | TIMES, min_size=1, max_size=12), TIMES.filter(bool))
def test_times_increase(stamps: list[Fraction | None], step: Fraction) -> None:
    times: list[Fraction] = []
    for stamp in stamps:
        times.append(time_after(times[-1] if times else None, stamp, step))
    for stamp, time, (last, after) in zip(stamps[1:], times[1:], pairwise(times), strict=True):
        assert last < after
        assert time == stamp if stamp is not None and stamp > last else time == last + step
    assert times[0] == (stamps[0] or 0)


def test_times_of_a_file(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [Fraction(t, 30) for t in range(LENGTH)]
    assert [time for time, _ in VideoFile(clip)] == expected
    decoded = decoding._decoded

    def without_times(*arguments: object) -> Iterable[av.VideoFrame]:
        for frame in decoded(*arguments):
            frame.pts = None
            yield frame

    monkeypatch.setattr(decoding, "_decoded", without_times)
    assert [time for time, _ in VideoFile(clip)] == expected


@pytest.mark.parametrize("extra", [0, 5])
def test_a_broken_end(clip: Path, copied: Path, extra: int) -> None:
    """Cut after a packet, and within one."""
    cut(copied, 8, extra=extra)
    video = VideoFile(copied)
    frames = [frame for _, frame in video]
    whole = frames_of(clip)
    # Packets are in the order of decoding: each frame that was sent is there, if later.
    assert len(frames) == 8
    assert all(any(np.array_equal(frame, other) for other in whole) for frame in frames[:6])
    assert "only 8 frames could be decoded" in video.damage


def test_a_broken_packet(clip: Path, copied: Path) -> None:
    break_packet(copied, 9)
    video = VideoFile(copied)
    assert len(list(video)) == LENGTH - 1
    assert "only 19 frames could be decoded (Invalid data found" in video.damage
    whole = VideoFile(clip)
    assert len(list(whole)) == LENGTH
    assert whole.damage == ""


def test_damage_is_that_of_the_last_reading(clip: Path, copied: Path) -> None:
    break_packet(copied, 9)
    video = VideoFile(copied)
    list(video)
    assert video.damage
    copied.write_bytes(clip.read_bytes())
    list(video)
    assert video.damage == ""


def test_a_container_that_breaks(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, not decoding, raises; what was read before is decoded to its end."""
    found: list[str] = []

    class Container:
        def demux(self, stream: av.video.stream.VideoStream) -> Iterable[av.Packet]:
            for number, packet in enumerate(container.demux(stream)):
                if number == 8:
                    raise av.InvalidDataError(1, "the disk is gone")
                yield packet

    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert len(list(decoding._decoded(Container(), stream, found))) == 8
    assert found == ["the disk is gone"]


def test_nothing_decoded(copied: Path, tmp_path: Path) -> None:
    content = copied.read_bytes()
    for number in range(len(packets(copied))):
        break_packet(copied, number)
    with pytest.raises(InputError, match=r"copy\.mp4 cannot be read as a video: Invalid data"):
        list(VideoFile(copied))
    (tmp_path / "unknown.mp4").write_bytes(content.replace(b"avc1", b"none"))
    with pytest.raises(InputError, match=r"cannot be read as a video: FFmpeg has no decoder"):
        list(VideoFile(tmp_path / "unknown.mp4"))
