"""Videos by path or by address: whether they changed, and a copy where the computing is."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ditta_adapt.batch.names import safe_name
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import make_folder
from ditta_adapt.io.live_video import STANDARD_INPUT
from ditta_adapt.io.optional import require

_PARTIAL = ".partial"
# Others of fsspec run what a file says, or read what is not a file.
_SERVERS = {"http", "https", "ftp", "sftp", "ssh", "hdfs", "webhdfs"}
_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "hf"}
_PROTOCOLS = _SERVERS | _BUCKETS | {"file", "local", "zip", "tar"}
# As the file systems of fsspec call what changes with the content, in small letters.
_TIMES = {"mtime", "updated", "lastmodified", "last-modified", "last_modified", "date_time"}
_TAGS = {"etag", "md5", "md5hash", "content-md5", "digest", "checksum", "crc", "crc32c"}
_STATES = _TIMES | _TAGS | {"size", "generation", "version_id"}


def is_remote(video: str) -> bool:
    """Whether it is the address of a file somewhere, such as `s3://bucket/clip.mp4`."""
    return "://" in video or "::" in video


def check_video(video: str) -> str:
    """The name itself, if it is that of something which can be read twice; nothing is opened.

    Raises:
        InputError: it is empty, has a zero byte, or is live.
        MissingDependencyError: what reads such addresses is not installed.
    """
    if not video.strip() or "\0" in video:
        raise InputError(f"{video!r} is no path or address of a video.")
    if is_remote(video):
        _check_protocols(video)
    elif video == STANDARD_INPUT or video.startswith("/dev/"):
        raise InputError(f"{video} is live; a batch labels what can be read again.")
    return video


def fingerprint(video: str) -> str:
    """A text that changes when the file, or a file of the folder, is written to.

    It is made of sizes and times of modification, as the file system has them; of an address, also
    of tags and checksums, where a server tells them.

    Raises:
        InputError: there is no such file, or it cannot be looked at.
    """
    try:
        if is_remote(video):
            system, path = open_address(video)
            if not system.isdir(path):
                return _state(system.info(path))
            files = system.find(path, detail=True)
            found = sorted((name, _state(info)) for name, info in files.items())
        elif os.path.isdir(video):
            with os.scandir(video) as entries:
                found = sorted((each.name, _stat_text(each.stat())) for each in entries)
        else:
            return _stat_text(os.stat(video))
    except InputError:
        raise
    # Whatever a protocol raises.
    except Exception as error:
        raise InputError(f"{video} cannot be read: {error}") from error
    return hashlib.sha256(repr(found).encode()).hexdigest()


def fetch(video: str, folder: Path) -> str:
    """The path of a video on this file system: its own, or of a copy below a folder.

    A copy that is there is taken: the folder is that of one state of the video.

    Raises:
        InputError: it cannot be read, or the copy not written.
    """
    if not is_remote(video):
        return video
    system, path = open_address(video)
    copy = folder / safe_name(file_name(video))
    if os.path.lexists(copy):
        return str(copy)
    make_folder(folder)
    partial = folder / _PARTIAL
    try:
        if partial.is_dir():
            shutil.rmtree(partial)
        folder_of_images = system.isdir(path)
        if folder_of_images and any(".." in name.split("/") for name in system.find(path)):
            raise InputError(f"{video} has a file that would be written outside of its folder.")
        system.get(path, str(partial), recursive=folder_of_images)
        os.replace(partial, copy)
    except InputError:
        raise
    # Whatever a protocol raises.
    except Exception as error:
        raise InputError(f"{video} cannot be fetched: {error}") from error
    return str(copy)


def file_name(video: str) -> str:
    """The last part of a path or address, without what an address asks for behind a `?`."""
    if not is_remote(video):
        return os.path.basename(os.path.abspath(video))
    return video.partition("::")[0].partition("?")[0].rstrip("/").rpartition("/")[2] or "video"


def open_address(address: str) -> tuple[Any, str]:
    """The file system of an address, see fsspec, and its path there.

    Raises:
        InputError: there is no such protocol, or it cannot be opened.
        MissingDependencyError: fsspec is not installed.
    """
    fsspec: Any = require("fsspec")
    _check_protocols(address)
    try:
        system, path = fsspec.core.url_to_fs(address)
    # Whatever a protocol raises.
    except Exception as error:
        raise InputError(f"{address} cannot be opened: {error}") from error
    return system, str(path)


def _check_protocols(address: str) -> None:
    fsspec: Any = require("fsspec")
    for link in address.split("::"):
        protocol, named, _ = link.partition("://")
        if named and protocol not in _PROTOCOLS:
            raise InputError(
                f"{address} cannot be opened: {protocol!r} is none of the protocols that are read, "
                f"{', '.join(sorted(_PROTOCOLS))}."
            )
        try:
            if named:
                # Its error names the package that reads it.
                fsspec.get_filesystem_class(protocol)
        except (ValueError, ImportError) as error:
            raise InputError(f"{address} cannot be opened: {error}") from error


def _state(info: Mapping[str, Any]) -> str:
    return repr(sorted((key, str(info[key])) for key in info if key.lower() in _STATES))


def _stat_text(found: os.stat_result) -> str:
    return f"{found.st_size} {found.st_mtime_ns}"
