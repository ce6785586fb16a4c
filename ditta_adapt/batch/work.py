"""What workers do: one task after the other, each with results in a folder of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ditta_adapt.running.stopping import Stop


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does at a time, knowing nothing of the others.

    Attributes:
        name: of the folder of its results, see `check_name`.
        payload: what is to be done, as plain data.
    """

    name: str
    payload: Any


@runtime_checkable
class Prepared(Protocol):
    """A worker's own model and whatever else all tasks share, loaded once."""

    def identity(self, task: Task) -> dict[str, Any]:
        """All that decides about the results of a task, as values that JSON can hold.

        It is asked before results are looked for, so it takes no longer than looking at files.

        Raises:
            DittaError: there is no such input, or it cannot be looked at.
        """
        ...

    def do(self, task: Task, folder: Path, stop: Stop) -> dict[str, Any] | None:
        """Do a task, or go on with it.

        Args:
            task: what to do.
            folder: where results are written; holds what an earlier attempt left.
            stop: asks to stop where it can be gone on with.

        Returns:
            What the summary says of it, as values that JSON can hold; none if it was stopped.

        Raises:
            Exception: the task failed. One of `DittaError`, raised for no other reason than wrong
                input, is not tried again.
        """
        ...


@runtime_checkable
class Work(Protocol):
    """What is sent to every worker, as plain data, before its first task."""

    def prepare(self) -> Prepared:
        """Load what all tasks share.

        Raises:
            DittaError: it cannot be loaded; then no worker could.
        """
        ...
