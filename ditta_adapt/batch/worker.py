"""What runs where the engine puts it: loads once, then does one task after the other."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.place import Place, key_of
from ditta_adapt.batch.work import Prepared, Task, Work
from ditta_adapt.errors import DittaError
from ditta_adapt.running.stopping import Stop

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass
class Worker:
    """One worker; plain data until it is prepared.

    Attributes:
        work: what it does.
        out: folder of all results.
        threads: of its computations on the CPU; results depend on their number.
        folder: where it works, and modules are looked for, too, see `importable_folder`.
        scratch: see `Place`.
    """

    work: Work
    out: Path
    threads: int
    folder: str
    scratch: Path | None = None
    _stop: Stop = field(default_factory=Stop)
    _prepared: Prepared | None = None

    def prepare(self) -> Answer:
        """Load what all tasks share."""
        torch.set_num_threads(self.threads)
        # Where the driver is, so that relative paths are the same; elsewhere it may not be there.
        with suppress(OSError):
            os.chdir(self.folder)
        if self.folder not in sys.path:
            sys.path.insert(0, self.folder)
        try:
            self._prepared = self.work.prepare()
        except DittaError as error:
            return Answer("unfit", reason=reason_of(error))
        except Exception as error:
            return Answer("lost", reason=reason_of(error))
        return Answer("ready")

    def perform(self, task: Task) -> Answer:
        """Do a task, unless it is done, or somebody else is at it."""
        place = Place(self.out, task.name, self.scratch)
        key = ""
        try:
            with place.claimed() as mine:
                if not mine:
                    return Answer("claimed")
                assert self._prepared is not None
                identity = {**self._prepared.identity(task), "threads": self.threads}
                key = key_of(identity)
                return self._do(self._prepared, place, task, identity)
        except Exception as error:
            return replace(failure(error), key=key)

    def stop(self) -> None:
        """Stop where the task can be gone on with; called while another thread is at it."""
        self._stop.asked = True

    def _do(self, prepared: Prepared, place: Place, task: Task, identity: dict[str, Any]) -> Answer:
        key = key_of(identity)
        row = place.row(key)
        if row is not None:
            return Answer("was done", row)
        troubles = place.troubles()
        if troubles.given_up and troubles.key == key:
            return Answer("set aside", reason=troubles.reasons[-1])
        row = prepared.do(task, place.begin(key), self._stop)
        if row is None:
            # It would stop everything else, too.
            return Answer("stopped", fresh=True)
        place.commit(key, identity, row)
        return Answer("done", row)


def failure(error: Exception) -> Answer:
    """What an error means for the task and for the worker.

    Errors of ours with no other cause are wrong input, which stays wrong. A disk that is full is no
    fault of the task. After an error that nobody foresaw, or where memory ran out, the process may
    be unwell.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, OSError) and cause.errno in _FULL for cause in causes):
        return Answer("full", reason=reason_of(error))
    own = isinstance(error, DittaError)
    memory = any(isinstance(cause, MemoryError | torch.OutOfMemoryError) for cause in causes)
    return Answer(
        "failed",
        reason=reason_of(error),
        again=not all(isinstance(cause, DittaError) for cause in causes),
        fresh=memory or not own,
    )


def reason_of(error: BaseException) -> str:
    """What went wrong in a line; where, too, if it is not an error of ours."""
    if isinstance(error, DittaError):
        return str(error)
    text = f"{type(error).__name__}: {error}".strip()
    trace = traceback.extract_tb(error.__traceback__)
    if not trace:
        return text
    return f"{text} (in {trace[-1].name}, {Path(trace[-1].filename).name} line {trace[-1].lineno})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
