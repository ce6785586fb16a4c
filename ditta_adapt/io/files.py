"""Paths that a caller gives, and files that are written as a whole or not at all."""

import os
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ditta_adapt.errors import InputError


def as_path(path: object) -> Path:
    """A path as a `Path`.

    Raises:
        InputError: it is none, or has a zero byte, which no name of a file has.
    """
    if not isinstance(path, str | Path | os.PathLike) or "\0" in str(os.fspath(path)):
        raise InputError(f"path is {path!r}; expected a str or a pathlib.Path of a file or folder.")
    return Path(path)


def is_file(path: Path) -> bool:
    """Whether there is such a file; not so, too, where the name is too long for the disk."""
    return os.path.isfile(path)


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that could not be made or written to; nothing is made yet.

    Raises:
        InputError: it, or what it would lie in, is no folder, or may not be written to.
    """
    nearest = folder.absolute()
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.path.isdir(nearest):
        raise InputError(f"the output folder {folder} cannot be made: {nearest} is no folder.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"the output folder {folder} cannot be written: {nearest} is read-only.")


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in; it may be there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error}") from error


def _sync_folders(folders: Iterable[Path]) -> None:
    """Wait until the names of files in these folders are on the disk, where a system can."""
    for folder in folders:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def write_files(contents: Mapping[Path, str | bytes], *, durable: bool = False) -> None:
    """Write files, text as UTF-8, with the caller's own file mode.

    All of them are complete beside their places before the first takes its place, so that what was
    there before stays if the disk is full or the program is killed on the way. A link stays one;
    what is no file, such as a pipe, is written to.

    Args:
        contents: by path; in folders that exist.
        durable: wait until they are on the disk, so that they outlive a power cut, too.

    Raises:
        InputError: one cannot be written; nothing is left beside the places.
    """
    places = {path: Path(os.path.realpath(path)) for path in contents}
    beside = {path: place.with_name(f".{uuid.uuid4().hex}.tmp") for path, place in places.items()}
    writing = next(iter(contents), None)
    try:
        for writing, content in contents.items():
            data = content if isinstance(content, bytes) else content.encode("utf-8")
            special = os.path.lexists(places[writing]) and not os.path.isfile(places[writing])
            with (places if special else beside)[writing].open("wb") as file:
                file.write(data)
                if durable and not special:
                    file.flush()
                    os.fsync(file.fileno())
        for writing, complete in beside.items():
            if complete.exists():
                os.replace(complete, places[writing])
        if durable:
            _sync_folders({place.parent for place in places.values()})
    except OSError as error:
        raise InputError(f"{writing} cannot be written: {error}") from error
    finally:
        for left in beside.values():
            # An error of its own, such as in a read-only folder, is not what went wrong.
            with suppress(OSError):
                left.unlink(missing_ok=True)
