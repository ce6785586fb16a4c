"""The folder of a run: its results, and what is kept so that it can go on."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from ditta_adapt.errors import InputError
from ditta_adapt.io.files import check_output_folder, is_file, make_folder, write_files

Standing = Literal["new", "stopped", "done"]

_PRIVATE = ".ditta-run"
_RESULTS = ("labels", "labels.npz", "overlay.mp4", "report.json", "report.html", _PRIVATE)


class WorkFolder:
    """Where the results of one video are written.

    While a run is under way, `.ditta-run` holds what it was asked (`request.json`), pictures for
    the report, and the last checkpoint; it is removed at the end.

    Args:
        path: the folder; made by `begin`.
        request: all that decides about the results, as values that JSON can hold.
    """

    def __init__(self, path: Path, request: Mapping[str, Any]) -> None:
        self.path = path
        self.labels = path / "labels"
        self.pictures = path / _PRIVATE / "pictures"
        self._private = path / _PRIVATE
        # As it is read again: tuples are lists then.
        self._request = json.loads(json.dumps(request))

    def begin(self, *, overwrite: bool = False) -> Standing:
        """Make the folder, or find out how far the same request has come in it.

        Args:
            overwrite: whether results that are here are removed, unless they are of the same
                request and it was stopped.

        Raises:
            InputError: it cannot be made or written to; or it holds something else.
        """
        check_output_folder(self.path)
        standing = self._standing()
        if overwrite and standing != "stopped":
            standing = "new"
        if standing is None:
            raise InputError(
                f"the output folder {self.path} holds something else than results of this "
                "command; choose another folder, or pass --overwrite to replace results."
            )
        if standing == "done":
            return standing
        if standing == "new":
            self._remove(*_RESULTS)
        for folder in (self.labels, self.pictures):
            make_folder(folder)
        write_files({self._private / "request.json": json.dumps(self._request, indent=2)})
        return standing

    def label_file(self, index: int) -> Path:
        """Where the labels of a frame are written."""
        return self.labels / f"{index:06}.png"

    def picture(self, index: int, kind: str) -> Path:
        """Where a picture for the report is kept."""
        return self.pictures / f"{index:06}.{kind}"

    def pictured(self, kind: str) -> list[int]:
        """Indices of the frames of which there is such a picture."""
        return sorted(int(path.stem) for path in self.pictures.glob(f"*.{kind}"))

    def checkpoint(self) -> Path | None:
        """The folder of the last checkpoint; none before the first one."""
        found = sorted(self._private.glob("checkpoint-*"))
        return found[-1] if found else None

    def save_checkpoint(self, index: int, write: Callable[[Path], None]) -> None:
        """Write a checkpoint that is complete before the one before it is removed.

        Args:
            index: of the frame that is next.
            write: writes into a folder that is there.

        Raises:
            InputError: it cannot be written.
        """
        partial, before = self._private / "partial", self.checkpoint()
        self._remove(f"{_PRIVATE}/partial")
        make_folder(partial)
        write(partial)
        target = self._private / f"checkpoint-{index:09}"
        try:
            # The same frame again, after a run that was stopped without another one.
            if before != target:
                os.replace(partial, target)
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error}") from error
        if before is not None and before != target:
            shutil.rmtree(before, ignore_errors=True)

    def finish(self, report: Mapping[str, Any], page: str | None) -> None:
        """Write the reports, and remove what was only needed to go on.

        Raises:
            InputError: they cannot be written.
        """
        files: dict[Path, str | bytes] = {}
        if page is not None:
            files[self.path / "report.html"] = page
        whole = dict(report) | {"request": self._request}
        files[self.path / "report.json"] = json.dumps(whole, indent=2) + "\n"
        write_files(files)
        shutil.rmtree(self._private, ignore_errors=True)

    def report(self) -> dict[str, Any]:
        """The report of a run that is done."""
        return dict(_json(self.path / "report.json") or {})

    def _standing(self) -> Standing | None:
        """How far the request has come; none if the folder holds something else."""
        if not os.path.isdir(self.path) or not os.listdir(self.path):
            return "new"
        under_way = _json(self._private / "request.json")
        if under_way is not None:
            if under_way != self._request:
                return None
            return "stopped" if self.checkpoint() is not None else "new"
        done = _json(self.path / "report.json")
        return "done" if done is not None and done.get("request") == self._request else None

    def _remove(self, *names: str) -> None:
        for name in names:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _json(path: Path) -> dict[str, Any] | None:
    """What a file holds; none if it is missing, or no object."""
    if not is_file(path):
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
