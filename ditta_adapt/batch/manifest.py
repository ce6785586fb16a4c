"""Which videos a batch is to label, and what is special about some of them."""

import argparse
import csv
import glob
import io
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ditta_adapt.batch.inputs import check_video, file_name, is_remote, open_address
from ditta_adapt.batch.names import check_name, safe_name
from ditta_adapt.datasets.natural_order import natural_key
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import is_file
from ditta_adapt.running.options import add_video_options, request_of

_MANIFESTS = (".csv", ".jsonl")
_VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


@dataclass(frozen=True, slots=True)
class Entry:
    """One video.

    Attributes:
        name: of the folder of its results.
        video: its path, or an address that fsspec reads.
        options: of the command `run`, as text, where they differ from those of the batch; flags
            and lists as JSON has them.
    """

    name: str
    video: str
    options: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(names: Sequence[str]) -> list[Entry]:
    """The videos of manifests, of patterns, and of paths, in their order.

    A manifest is a `.csv` file with a line of column names, or a `.jsonl` file with an object a
    line. Its columns are `video`; `name`, of the folder of results, by default the name of the file
    without its ending; and options of `run` for single videos, such as `start`. Paths in it are
    taken from where it lies. A pattern such as `clips/*/*.mp4` names each video by the part of its
    path that the pattern leaves open.

    Args:
        names: paths, patterns, or addresses that fsspec reads.

    Raises:
        InputError: there is no such file; a line of it is wrong; nothing matches; or two videos
            have one name.
        MissingDependencyError: what reads an address is not installed.
    """
    entries: list[Entry] = []
    for name in names:
        if Path(file_name(name)).suffix.lower() in _MANIFESTS:
            entries.extend(_listed(name))
        elif _is_pattern(name):
            entries.extend(_matching(name))
        else:
            entries.append(_entry({"video": name}))
    if not entries:
        raise InputError(f"there is no video in {', '.join(names)}.")
    _refuse_twins(entries)
    return entries


def shard(entries: Sequence[Entry], text: str) -> list[Entry]:
    """Every `n`-th video from the `i`-th on, of `"i/n"`; counted from 0.

    Raises:
        InputError: not such a text.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise InputError(
            f"the shard is {text!r}; expected i/n with i from 0 to n - 1, such as 0/8 to 7/8."
        )
    return list(entries[int(index) :: int(count)])


def options_of(entry: Entry, common: argparse.Namespace) -> argparse.Namespace:
    """The options of the batch, with those of one video.

    Raises:
        InputError: the command has no such option for a video, or not with such a value.
    """
    if not entry.options:
        return common
    arguments = [word for key, value in entry.options.items() for word in _words(key, value)]
    try:
        own = _parser().parse_args(arguments, argparse.Namespace(**vars(common)))
        request_of(own)
    except InputError as error:
        raise InputError(f"{entry.name}: {error}") from error
    return own


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InputError(f"{message}.")


@cache
def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    add_video_options(parser)
    return parser


def _words(key: str, value: Any) -> list[str]:
    """An option as the command line has it; one that is left empty is not given."""
    option = f"--{key.strip().replace('_', '-')}"
    if value is None or value == "":
        return []
    if str(value).lower() in ("true", "false"):
        return [option] if str(value).lower() == "true" else []
    if isinstance(value, list):
        return [option, *map(str, value)] if value else []
    # With the sign, a value may begin with a dash.
    return [option, *value.split()] if key == "classes" else [f"{option}={value}"]


def _listed(name: str) -> Iterator[Entry]:
    text = _text(name)
    read = _csv_rows if file_name(name).lower().endswith(".csv") else _json_rows
    for line, row in read(name, text):
        try:
            yield _entry({**row, "video": _from_where_it_lies(name, row.get("video"))})
        except InputError as error:
            raise InputError(f"{name}, line {line}: {error}") from error


def _csv_rows(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if "video" not in (reader.fieldnames or ()):
            raise InputError(f"{name} has the columns {reader.fieldnames}; expected one `video`.")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{name}, line {reader.line_num}: as many values are expected as there are "
                    "columns."
                )
            yield reader.line_num, {key: value.strip() for key, value in row.items()}
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}") from error


def _json_rows(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except ValueError as error:
            raise InputError(f"{name}, line {line}: {error}") from error
        if not isinstance(row, dict) or "video" not in row:
            raise InputError(f'{name}, line {line}: expected an object such as {{"video": "..."}}.')
        yield line, row


def _entry(row: Mapping[str, Any]) -> Entry:
    options = {key: value for key, value in row.items() if key not in ("video", "name")}
    video = row["video"]
    if not isinstance(video, str):
        raise InputError(f"the video is {video!r}; expected a path or an address.")
    check_video(video)
    name = row.get("name")
    if name is None or name == "":
        name = safe_name(_without_ending(video, file_name(video)))
    if not isinstance(name, str):
        raise InputError(f"the name is {name!r}; expected a text.")
    return Entry(unicodedata.normalize("NFC", check_name(name)), video, options)


def _from_where_it_lies(manifest: str, video: Any) -> Any:
    if not isinstance(video, str) or is_remote(video) or not video.strip():
        return video
    if is_remote(manifest):
        return f"{manifest.rpartition('/')[0]}/{video}" if not video.startswith("/") else video
    return str(Path(manifest).parent / video)


def _matching(pattern: str) -> Iterator[Entry]:
    """Videos that match, each named by the part of its path that the pattern leaves open."""
    fixed = ""
    for part in pattern.split("/")[:-1]:
        if _is_pattern(part):
            break
        fixed += f"{part}/"
    for video in sorted(_found(pattern), key=natural_key):
        own = video.partition("::")[0].rstrip("/").removeprefix(fixed)
        yield Entry(safe_name(_without_ending(video, own)), check_video(video))


def _is_pattern(name: str) -> bool:
    # Addresses have ? and [ of their own.
    signs = "*" if is_remote(name) else "*?["
    return any(sign in name for sign in signs) and not os.path.lexists(name)


def _without_ending(video: str, name: str) -> str:
    """A name without the ending that files have, and folders do not."""
    path = Path(name)
    # Most names say it by themselves: on a file system far away each look takes its time.
    is_video = path.suffix.lower() in _VIDEOS
    return str(path.with_suffix("")) if is_video or not os.path.isdir(video) else name


def _found(pattern: str) -> Iterable[str]:
    if not is_remote(pattern):
        return glob.glob(pattern, recursive=True)
    system, path = open_address(pattern)
    _, chained, rest = pattern.partition("::")
    try:
        found = system.glob(path)
    # Whatever a protocol raises.
    except Exception as error:
        raise InputError(f"{pattern} cannot be listed: {error}") from error
    return [f"{system.unstrip_protocol(each)}{chained}{rest}" for each in found]


def _text(name: str) -> str:
    try:
        if is_remote(name):
            system, path = open_address(name)
            return str(system.cat_file(path).decode("utf-8-sig"))
        if not is_file(Path(name)):
            raise InputError(f"there is no manifest {name}.")
        return Path(name).read_text(encoding="utf-8-sig")
    except InputError:
        raise
    # Whatever a protocol raises.
    except Exception as error:
        raise InputError(f"{name} cannot be read: {error}") from error


def _refuse_twins(entries: Sequence[Entry]) -> None:
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            raise InputError(
                f"{other.video} and {entry.video} would both be written to {entry.name}. Give them "
                "a `name` each in the manifest, or write a pattern from a folder that tells them "
                "apart, such as clips/*/video.mp4."
            )
