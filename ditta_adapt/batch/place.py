"""Where the results of a task lie: complete, or not there."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ditta_adapt.batch.names import PRIVATE, check_name
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import make_folder, write_files

MARKER = "done.json"
"""In the folder of results, written before the folder takes its place."""

_FORMAT = 1


def key_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 of all that decides about results."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Troubles:
    """How often a task failed under one key.

    Attributes:
        key: see `key_of`.
        reasons: of every failure.
        given_up: whether it is set aside.
    """

    key: str = ""
    reasons: list[str] = field(default_factory=list)
    given_up: bool = False


class Place:
    """The folders of one task below the output folder `OUT`.

    `OUT/NAME` holds results and their marker. It takes its place by one renaming when it is
    complete. Until then they lie in `OUT/.ditta-batch/NAME`, beside a record of failures; with a
    scratch folder, there until the video is done, and are then copied.

    Args:
        out: the output folder.
        name: of the task, see `check_name`.
        scratch: folder on a disk of the machine itself, see above.

    Attributes:
        results: the place.
    """

    def __init__(self, out: Path, name: str, scratch: Path | None = None) -> None:
        self.results = out / check_name(name)
        self._out, self._scratch = out, scratch
        self._private = out / PRIVATE / name
        # No name begins with a dot.
        self._lock = out / PRIVATE / ".locks" / f"{name}.lock"
        self._troubles = self._private / "troubles.json"
        self._complete = self._private / "work"

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Inside, nobody else on this file system works on the task; false if somebody does.

        The claim is a lock that the system takes back when its process ends, however it ends; no
        clock is asked.

        Raises:
            InputError: the output folder cannot be written to, or a link leads out of it.
        """
        self._refuse_links()
        make_folder(self._lock.parent)
        lock = FileLock(self._lock)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise InputError(f"{self._lock} cannot be locked: {error}") from error
        try:
            yield True
        finally:
            lock.release()

    def row(self, key: str) -> dict[str, Any] | None:
        """What the marker says of results of this key; none if there are none."""
        found = self._marker(self._complete)
        if found is not None and found.get("key") == key:
            # Killed between the marker and the renaming.
            self._take_place()
        else:
            found = self._marker(self.results)
        return dict(found["row"]) if found is not None and found.get("key") == key else None

    def begin(self, key: str) -> Path:
        """Make the folder that results are written to, and keep what an earlier attempt left.

        Returns:
            The folder; one beside it may hold what is only needed on the way.

        Raises:
            InputError: it cannot be made, or the place of the results is taken by something else.
        """
        if os.path.lexists(self.results) and self._marker(self.results) is None:
            raise InputError(
                f"{self.results} holds something else than results of a batch; move it away, or "
                "choose another output folder."
            )
        if self.troubles().key != key:
            # What was left belongs to another input or configuration.
            shutil.rmtree(self._private, ignore_errors=True)
        work = self._work(key)
        if work != self._complete:
            self._clear_scratch(work)
        make_folder(work)
        (work / MARKER).unlink(missing_ok=True)
        if self.troubles().key != key:
            make_folder(self._private)
            self._write_troubles(Troubles(key))
        return work

    def commit(self, key: str, identity: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Give what was written since `begin` its place, instead of older results.

        Raises:
            InputError: they cannot be written.
        """
        marker = {"format": _FORMAT, "key": key, "identity": identity, "row": row}
        text = json.dumps(marker, indent=2) + "\n"
        work = self._work(key)
        if work != self._complete:
            self._copy(work)
        write_files({self._complete / MARKER: text}, durable=True)
        self._take_place()
        if work != self._complete:
            shutil.rmtree(work.parent.parent, ignore_errors=True)

    def troubles(self) -> Troubles:
        """What went wrong so far."""
        found = _read(self._troubles)
        try:
            return Troubles(**found) if found is not None else Troubles()
        except TypeError:
            return Troubles()

    def add_trouble(self, key: str, reason: str, *, given_up: bool) -> None:
        """Keep why an attempt failed; also while a worker that was ended still has the claim.

        Args:
            key: that it failed under.
            reason: why.
            given_up: whether the task is set aside.

        Raises:
            InputError: it cannot be written, or a link leads out of the output folder.
        """
        self._refuse_links()
        before = self.troubles()
        reasons = before.reasons if before.key == key else []
        make_folder(self._private)
        self._write_troubles(Troubles(key, [*reasons, reason], given_up))

    def forget_troubles(self) -> None:
        """Let a task that was set aside be tried again, from where it was."""
        troubles = self.troubles()
        if troubles.given_up:
            self._refuse_links()
            self._write_troubles(Troubles(troubles.key))

    def reached(self) -> int:
        """How many files an attempt left, to know whether the next one got further."""
        return sum(len(files) for _, _, files in os.walk(self._complete))

    def _write_troubles(self, troubles: Troubles) -> None:
        write_files({self._troubles: json.dumps(asdict(troubles), indent=2) + "\n"})

    def _work(self, key: str) -> Path:
        if self._scratch is None:
            return self._complete
        # Others may use the folder, too; each output folder and state of a video has its own in it.
        user = f"{PRIVATE}-{os.getuid()}" if hasattr(os, "getuid") else PRIVATE
        digest = hashlib.sha256(str(self._out.absolute()).encode()).hexdigest()[:16]
        return self._scratch / user / digest / self.results.name / key[:16] / "work"

    def _clear_scratch(self, work: Path) -> None:
        """Make the user's own folder, and remove what is left of other states of the video."""
        own = work.parents[3]
        try:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            if own.is_symlink() or (hasattr(os, "getuid") and own.stat().st_uid != os.getuid()):
                raise InputError(f"{own} is somebody else's; name another scratch folder.")
        except OSError as error:
            raise InputError(f"the scratch folder {own} cannot be used: {error}") from error
        for other in work.parents[1].glob("*"):
            if other != work.parent:
                shutil.rmtree(other, ignore_errors=True)

    def _copy(self, work: Path) -> None:
        shutil.rmtree(self._complete, ignore_errors=True)
        try:
            for path in [work, *sorted(work.rglob("*"))]:
                target = self._complete / path.relative_to(work)
                if path.is_dir():
                    target.mkdir(parents=True)
                else:
                    shutil.copyfile(path, target)
        except OSError as error:
            raise InputError(f"{self._complete} cannot be written: {error}") from error

    def _take_place(self) -> None:
        try:
            if os.path.lexists(self.results):
                replaced = self._private / "replaced"
                shutil.rmtree(replaced, ignore_errors=True)
                os.rename(self.results, replaced)
            os.rename(self._complete, self.results)
        except OSError as error:
            raise InputError(f"{self.results} cannot be written: {error}") from error
        shutil.rmtree(self._private, ignore_errors=True)

    def _marker(self, folder: Path) -> dict[str, Any] | None:
        found = _read(folder / MARKER)
        if found is None or found.get("format") != _FORMAT:
            return None
        return found if isinstance(found.get("row"), dict) else None

    def _refuse_links(self) -> None:
        ways = (self._private.parent, self._private, self._complete, self._lock.parent)
        for path in (self.results, self._troubles, self._lock, *ways):
            if path.is_symlink():
                raise InputError(
                    f"{path} is a link; results are not written through links inside of the "
                    "output folder. Remove it."
                )


def _read(path: Path) -> dict[str, Any] | None:
    """What a file of ours holds; none if it is missing or torn."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
