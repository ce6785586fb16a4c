"""Sound copied beside new pictures."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ditta_adapt.io.encoding import VideoWriter
from ditta_adapt.io.probe import probe_video
from ditta_adapt.io.sound import SoundTrack
from tests.running.clips import write_with_sound
from tests.toys import toy_video


def samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(parts)


def copied(path: Path, start: Fraction, frames: int) -> tuple[Path, SoundTrack]:
    sound, target = SoundTrack(path, start), path.with_name("copy.mp4")
    with VideoWriter(target, fps=10, timed=True, sound=sound) as writer:
        for t, frame in enumerate(toy_video(frames)):
            writer.write(frame, start + Fraction(t, 10))
    return target, sound


def test_all_of_it(tmp_path: Path) -> None:
    write_with_sound(tmp_path / "clip.mp4", 20)
    copy, sound = copied(tmp_path / "clip.mp4", Fraction(0), 20)
    assert sound.problem == ""
    assert probe_video(copy).sound
    ours, theirs = samples(copy), samples(tmp_path / "clip.mp4")
    # Less than one packet is missing at the end.
    assert 0 <= len(theirs) - len(ours) <= 1024
    assert np.array_equal(ours, theirs[: len(ours)])


def test_a_part_of_it(tmp_path: Path) -> None:
    """From one second on, for half a second: as long, and the same waves."""
    write_with_sound(tmp_path / "clip.mp4", 30)
    copy, _ = copied(tmp_path / "clip.mp4", Fraction(1), 5)
    assert abs(len(samples(copy)) / 8000 - 0.5) < 0.15
    with av.open(str(copy)) as container:
        first = next(container.demux(audio=0))
        assert -0.15 < first.pts * first.time_base < 0.15


def test_a_video_without_sound(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "mute.mp4") as writer:
        writer.write(toy_video(1)[0])
    copy, sound = copied(tmp_path / "mute.mp4", Fraction(0), 3)
    assert sound.problem == ""
    assert not probe_video(copy).sound


def test_a_sound_that_does_not_go_into_the_file(tmp_path: Path) -> None:
    write_with_sound(tmp_path / "clip.avi", 10, codec="adpcm_yamaha")
    copy, sound = copied(tmp_path / "clip.avi", Fraction(0), 10)
    assert sound.problem == "the sound is left out: adpcm_yamaha does not go into mp4"
    assert not probe_video(copy).sound


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    _, sound = copied(tmp_path / "gone.mp4", Fraction(0), 3)
    assert "the sound cannot be read" in sound.problem
