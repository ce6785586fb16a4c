from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets import layout
from tests.datasets.trees import write

STEMS = st.lists(st.sampled_from("abcdef"), unique=True)


@given(STEMS.filter(bool), STEMS)
def test_match_labels(frames: list[str], labels: list[str]) -> None:
    frame_files = {stem: Path(f"f/{stem}.jpg") for stem in frames}
    label_files = {stem: Path(f"l/{stem}.png") for stem in labels}

    def match(complete: bool) -> list[Path | None]:
        return layout.match_labels(frame_files, label_files, folder=Path("l"), complete=complete)

    if not set(labels) <= set(frames):
        with pytest.raises(InputError, match="is the label of no frame"):
            match(complete=False)
    elif not labels:
        with pytest.raises(InputError, match="l holds no label"):
            match(complete=False)
    else:
        assert match(complete=False) == [label_files.get(stem) for stem in frames]
    if set(labels) == set(frames):
        assert match(complete=True) == [label_files[stem] for stem in frames]
    else:
        with pytest.raises(InputError, match=r"label of"):
            match(complete=True)


def test_image_files(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.PNG", "1.jpeg", ".8.jpg", "._9.jpg", "a.txt", "Thumbs.db"):
        write(tmp_path / name)
    for name in ("11.webp", "12.tif", "13.TIFF"):
        write(tmp_path / name)
    (tmp_path / "2.jpg.d").mkdir()
    assert list(layout.image_files(tmp_path)) == ["1", "9", "10", "11", "12", "13"]
    assert list(layout.image_files(tmp_path, (".jpg",))) == ["10"]
    write(tmp_path / "10.png")
    with pytest.raises(InputError, match=r"10\.(jpg|png) and 10\.(jpg|png)"):
        layout.image_files(tmp_path)


def test_no_frames(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no frame; expected images \(\*\.jpg\)"):
        layout.need_frames(tmp_path, (".jpg",))


def test_lists(tmp_path: Path) -> None:
    write(tmp_path / "list.txt", "b \r\n\r\na\r\n")
    assert layout.read_video_names(tmp_path / "list.txt") == ("b", "a")
    write(tmp_path / "twice.txt", "a\nb\na\n")
    with pytest.raises(InputError, match=r"twice\.txt names the video 'a' twice"):
        layout.read_video_names(tmp_path / "twice.txt")
    write(tmp_path / "empty.txt", "\n \n")
    with pytest.raises(InputError, match=r"empty\.txt is empty"):
        layout.read_lines(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(InputError, match=r"binary\.txt cannot be read as text"):
        layout.read_lines(tmp_path / "binary.txt")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_no_letter(tmp_path: Path, mark: str) -> None:
    """As some editors write it in front of a text."""
    write(tmp_path / "list.txt", f"{mark}road\nsky\n")
    assert layout.read_lines(tmp_path / "list.txt") == ("road", "sky")


def test_hidden_folders_are_no_videos(tmp_path: Path) -> None:
    for name in ("v10", "v9", ".cache"):
        (tmp_path / name).mkdir()
    write(tmp_path / "file")
    assert layout.subfolders(tmp_path) == ["v9", "v10"]
