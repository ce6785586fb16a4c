"""Results on disk, one line a video, so that a run that was killed goes on where it was."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ditta_adapt.datasets.readable import OnError
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.io.files import make_folder

# 2: the warm-up is a text, since one frame is not the whole video.
_FORMAT = 2


class ResultFile:
    """A file of JSON lines: what the run depends on, then one line for every result.

    Args:
        path: of the file; made with its folder if missing.
        settings: what all results of the file depend on, as values that JSON can hold.

    Raises:
        InputError: the file was written under other settings, or is no such file.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._results: dict[Case, VideoResult] = {}
        # As it comes back from the file: a tuple as a list, say.
        head = json.loads(json.dumps({"format": _FORMAT, **settings}))
        if path.is_file() and path.stat().st_size:
            self._load(head)
        else:
            make_folder(path.parent)
            self._append(head)

    def is_done(self, case: Case, on_error: OnError) -> bool:
        """Whether a case was run and did not fail, and would not fail with this `on_error`."""
        result = self._results.get(case)
        if result is None or result.error:
            return False
        return on_error == "skip" or not result.unread

    def __iter__(self) -> Iterator[VideoResult]:
        """The results, the last of each case."""
        return iter(self._results.values())

    def add(self, result: VideoResult) -> None:
        """Append a result; it is on disk when this returns."""
        self._append(result.to_dict())
        self._results[result.case] = result

    def _append(self, values: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error}") from error

    def _load(self, head: Mapping[str, Any]) -> None:
        text = self._path.read_text(encoding="utf-8")
        complete, _, torn = text.rpartition("\n")
        if torn:
            # Killed while writing: the case of this line is run again.
            with self._path.open("r+", encoding="utf-8") as file:
                file.truncate(len(text.encode()) - len(torn.encode()))
        lines = complete.split("\n") if complete else []
        if not lines:
            self._append(head)
            return
        found, *results = _parse(self._path, lines)
        if found != head:
            changed = sorted(k for k in {*found, *head} if found.get(k) != head.get(k))
            raise InputError(
                f"{self._path} holds results of another run: {', '.join(changed)} differ, such as "
                f"{found.get(changed[0])!r} there and {head.get(changed[0])!r} now. Write to "
                "another folder."
            )
        for values in results:
            result = VideoResult.from_dict(values)
            self._results[result.case] = result


def read_results(path: Path) -> list[VideoResult]:
    """The results in a file, whatever its settings, the last of each case.

    Raises:
        InputError: the file is missing, or is no such file.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected the results of an evaluation.")
    complete = path.read_text(encoding="utf-8").rpartition("\n")[0]
    head, *results = _parse(path, complete.split("\n"))
    if head.get("format") != _FORMAT:
        raise InputError(
            f"{path} is of format {head.get('format')}; expected {_FORMAT}. Run the evaluation "
            "again, into another folder."
        )
    found = (VideoResult.from_dict(values) for values in results)
    return list({result.case: result for result in found}.values())


def _parse(path: Path, lines: Sequence[str]) -> list[dict[str, Any]]:
    parsed = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}, is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError(f"{path}, line {number}, is no result: {line[:40]!r}.")
        parsed.append(values)
    return parsed
