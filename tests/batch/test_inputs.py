"""Videos by path and by address."""

import os
import zipfile
from pathlib import Path

import pytest

from ditta_adapt.batch.inputs import check_video, fetch, file_name, fingerprint, is_remote
from ditta_adapt.batch.manifest import read_manifest
from ditta_adapt.errors import InputError


def test_a_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"frames")
    first = fingerprint(str(clip))
    assert fingerprint(str(clip)) == first
    os.utime(clip, ns=(1, clip.stat().st_mtime_ns + 1))
    assert fingerprint(str(clip)) != first
    second = fingerprint(str(clip))
    clip.write_bytes(b"more frames")
    assert fingerprint(str(clip)) != second


def test_a_fingerprint_of_a_folder_changes_with_each_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"a")
    (tmp_path / "1.png").write_bytes(b"b")
    first = fingerprint(str(tmp_path))
    assert fingerprint(str(tmp_path)) == first
    (tmp_path / "1.png").rename(tmp_path / "2.png")
    assert fingerprint(str(tmp_path)) != first


def test_addresses(tmp_path: Path) -> None:
    archive = tmp_path / "clips.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("day/clip.mp4", b"frames")
        file.writestr("day/images/0.png", b"a")
        file.writestr("day/images/1.png", b"b")
    address = f"zip://day/clip.mp4::{archive}"
    assert is_remote(address)
    assert check_video(address) == address
    assert fingerprint(address) == fingerprint(address)
    copy = fetch(address, tmp_path / "inputs")
    assert copy == str(tmp_path / "inputs" / "clip.mp4")
    assert Path(copy).read_bytes() == b"frames"
    # What is there is not fetched again.
    archive_was = archive.rename(tmp_path / "gone.zip")
    assert archive_was.exists()
    Path(copy).write_bytes(b"kept")
    archive_was.rename(archive)
    assert Path(fetch(address, tmp_path / "inputs")).read_bytes() == b"kept"
    images = fetch(f"zip://day/images::{archive}", tmp_path / "inputs")
    assert sorted(path.name for path in Path(images).iterdir()) == ["0.png", "1.png"]


def test_a_path_is_read_where_it_lies(tmp_path: Path) -> None:
    assert fetch("clips/clip.mp4", tmp_path / "inputs") == "clips/clip.mp4"
    assert not (tmp_path / "inputs").exists()


@pytest.mark.parametrize("video", ["", " ", "a\0b", "-", "/dev/null"])
def test_no_video(video: str) -> None:
    with pytest.raises(InputError, match=r"no path or address|is live"):
        check_video(video)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        fingerprint(str(tmp_path / "missing.mp4"))
    with pytest.raises(InputError, match="cannot be read"):
        fingerprint(f"file://{tmp_path}/missing.mp4")
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(f"file://{tmp_path}/missing.mp4", tmp_path / "inputs")
    with pytest.raises(InputError, match="cannot be opened"):
        check_video("nonsense://bucket/clip.mp4")


def test_names_of_files() -> None:
    assert file_name("clips/day/") == "day"
    assert file_name("clips/day/..") == "clips"
    assert file_name("clips/clip.mp4") == "clip.mp4"
    assert file_name("https://host/clip.mp4?signature=a/b.c") == "clip.mp4"
    assert file_name("zip://day/clip.mp4::/data/clips.zip") == "clip.mp4"
    assert file_name("s3://bucket/day/") == "day"


@pytest.mark.parametrize(
    "address",
    [
        "reference://a.mp4::file:///data/references.json",
        "dask://host/a.mp4",
        "memory://a.mp4",
        "zip://a.mp4::reference://b",
        "github://a:b@main/a.mp4",
    ],
)
def test_protocols_that_run_what_a_file_says_are_not_read(address: str) -> None:
    with pytest.raises(InputError, match="none of the protocols that are read"):
        check_video(address)
    with pytest.raises(InputError, match="none of the protocols that are read"):
        fingerprint(address)


def test_an_archive_that_would_write_outside(tmp_path: Path) -> None:
    archive = tmp_path / "clips.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("day/0.png", b"a")
        file.writestr("day/../../../escaped.txt", b"b")
    with pytest.raises(InputError):
        fetch(f"zip://day::{archive}", tmp_path / "out" / "work" / "inputs")
    assert not list(tmp_path.rglob("escaped.txt"))


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "clips.zip").write_text("no archive")
    with pytest.raises(InputError, match="cannot be"):
        fingerprint(f"zip://a.mp4::{tmp_path}/clips.zip")
    with pytest.raises(InputError, match="cannot be"):
        read_manifest([f"zip://*.mp4::{tmp_path}/clips.zip"])
    with pytest.raises(InputError, match="cannot be"):
        read_manifest([f"zip://list.csv::{tmp_path}/clips.zip"])
