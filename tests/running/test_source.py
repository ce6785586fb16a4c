"""Where frames come from."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_adapt import InputError, ShapeError
from ditta_adapt.io.video import read_timed_video, read_video, write_video
from ditta_adapt.running.source import Source, are_images, open_source
from tests.io.clips import cut, write_streamable
from tests.running.clips import write_hdr, write_images, write_with_sound
from tests.toys import toy_video

VIDEO = toy_video(6, size=(32, 48))


def frames_of(source: Source) -> list[np.ndarray]:
    return [frame for _, frame in source.read()]


def test_a_video_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    times = [Fraction(t, 10) for t in (0, 1, 4, 5, 9, 10)]
    write_video(path, VIDEO, times=times, fps=10)
    source = open_source([str(path)])
    assert (source.name, source.live, source.sound) == ("clip.mp4", False, None)
    assert source.files == (path,)
    assert [time for time, _ in source.read()] == list(source.times) == times
    expected = list(read_video(path))
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(source), expected, strict=True))


@pytest.mark.parametrize("name", ["a folder", "files"])
def test_images(tmp_path: Path, name: str) -> None:
    paths = write_images(tmp_path, VIDEO)
    source = open_source([str(tmp_path)] if name == "a folder" else [str(p) for p in paths])
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(source), VIDEO, strict=True))
    assert list(source.times) == [Fraction(k, 25) for k in range(6)]
    slow = open_source([str(p) for p in paths], rate=Fraction(2))
    assert [time for time, _ in slow.read()] == [Fraction(k, 2) for k in range(6)]


def test_one_image_is_a_video_of_one_frame(tmp_path: Path) -> None:
    (path, *_) = write_images(tmp_path, VIDEO)
    assert len(frames_of(open_source([str(path)]))) == 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "P", "CMYK"])
def test_images_of_other_kinds(tmp_path: Path, mode: str) -> None:
    """Grey, with alpha, of 16 bits, indexed, for print."""
    grey = Image.fromarray(VIDEO[0]).convert("L")
    image = grey.convert(mode) if mode != "I;16" else grey.convert("I").convert("I;16")
    suffix = "tif" if mode == "CMYK" else "png"
    image.save(tmp_path / f"a.{suffix}")
    (frame,) = frames_of(open_source([str(tmp_path)]))
    assert frame.shape == (32, 48, 3)
    assert frame.dtype == np.uint8


def test_images_that_cannot_be_read_are_left_out_and_said(tmp_path: Path) -> None:
    paths = write_images(tmp_path, VIDEO)
    paths[1].write_text("no image")
    paths[4].write_bytes(paths[4].read_bytes()[:200])
    source = open_source([str(tmp_path)])
    assert len(frames_of(source)) == 4
    assert [note.split(" cannot")[0] for note in source.notes] == [
        f"left out: {paths[1]}",
        f"left out: {paths[4]}",
    ]


def test_images_of_two_sizes(tmp_path: Path) -> None:
    paths = write_images(tmp_path, VIDEO)
    Image.fromarray(VIDEO[0][:20]).save(paths[3])
    with pytest.raises(ShapeError, match=r"frame3.png is \(20, 48\) .* expected images of one"):
        open_source([str(tmp_path)])


def test_scaled_frames(tmp_path: Path) -> None:
    write_images(tmp_path, VIDEO)
    write_video(tmp_path / "clip.mp4", VIDEO)
    for name in (tmp_path, tmp_path / "clip.mp4"):
        source = open_source([str(name)], max_side=24)
        assert {frame.shape for frame in frames_of(source)} == {(16, 24, 3)}


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.png").write_text("no image")
    for name, match in {
        "missing.mp4": "there is no video at",
        "missing.png": "there is no image at",
        "text.mp4": "cannot be read as a video",
        "text.png": "none of 1 images can be read",
        "empty": "no images|is empty|expected images|there are no",
    }.items():
        with pytest.raises(InputError, match=match):
            open_source([str(tmp_path / name)])


def test_which_names_are_images() -> None:
    assert are_images(["a.png", "b.JPG"])
    assert not are_images(["a.png", "b.mp4"])


def test_a_file_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_streamable(path, toy_video(20, size=(64, 96)))
    cut(path, 12)
    source = open_source([str(path)])
    assert 0 < len(frames_of(source)) < 20
    assert "the file is damaged: only" in source.notes[0]


def test_high_dynamic_range_is_said(tmp_path: Path) -> None:
    path = tmp_path / "hdr.mp4"
    write_hdr(path)
    source = open_source([str(path)])
    assert "high dynamic range (PQ)" in source.notes[0]
    assert len(frames_of(source)) == 4


def test_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_video(path, VIDEO)
    program = (
        "from ditta_adapt.running.source import open_source\n"
        "source = open_source(['-'])\n"
        "print(source.name, source.live, len(list(source.read())))"
    )
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=file, capture_output=True, text=True, check=True
        )
    assert done.stdout.strip() == "standard input True 6"


def test_an_address(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, VIDEO)
    source = open_source([path.as_uri()])
    assert source.live
    assert len(frames_of(source)) == 6
    with pytest.raises(InputError, match="cannot be read as a video"):
        frames_of(open_source(["file:///nowhere.mp4"]))


def test_sound_is_known(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_with_sound(path, 20)
    assert open_source([str(path)]).sound == path
    assert len(list(read_timed_video(path))) == 20
