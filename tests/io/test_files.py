"""Files that are written as a whole or not at all, and folders that can be written."""

import os
import stat
from pathlib import Path

import pytest

from ditta_adapt import InputError
from ditta_adapt.io.files import as_path, check_output_folder, make_folder, write_files


def test_all_or_none(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        write_files({kept: "new", tmp_path / "nowhere" / "b.txt": "new"})
    assert kept.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [kept]
    write_files({kept: "new ☃", tmp_path / "b.bin": b"\x00"})
    assert kept.read_text("utf-8") == "new ☃"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.bin", "kept.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_callers_mode(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_files({tmp_path / "a": "text"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_files({tmp_path / "link.txt": "new"})
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    write_files({null: "text"})
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_long_names(tmp_path: Path) -> None:
    write_files({tmp_path / ("a" * 255): "text"})
    with pytest.raises(InputError, match="cannot be written"):
        write_files({tmp_path / ("a" * 256): "text"})
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", ["", b""])
def test_a_full_disk(content: str | bytes) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    write_files({Path("/dev/full"): content})
    with pytest.raises(InputError, match="No space left"):
        write_files({Path("/dev/full"): "text"})


@pytest.mark.parametrize("path", [None, 3, b"a", "a\0b", ["a"]])
def test_what_is_no_path(path: object) -> None:
    with pytest.raises(InputError, match="path is"):
        as_path(path)


def test_output_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path / "file", tmp_path / "file" / "deeper" / "still"):
        with pytest.raises(InputError, match="file is no folder"):
            check_output_folder(wrong)
        with pytest.raises(InputError, match="cannot be made"):
            make_folder(wrong)
    check_output_folder(tmp_path / "a" / "b")
    check_output_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_durable_files_are_on_the_disk_before_they_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("sync"), sync(file))[1])
    monkeypatch.setattr(os, "replace", lambda *both: (calls.append("replace"), replace(*both))[1])
    contents = {tmp_path / "a": "one", tmp_path / "b": b"two"}
    write_files(contents, durable=True)
    # Both files, then their names, then the folder that has the names.
    assert calls == ["sync", "sync", "replace", "replace", "sync"]
    assert (tmp_path / "a").read_text() == "one"
    calls.clear()
    write_files(contents)
    assert calls == ["replace", "replace"]
