"""What schedules workers, and what comes back from them."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ditta_adapt.batch.work import Task

Kind = Literal[
    "ready",  # loaded what all tasks share
    "unfit",  # cannot load it, for a reason that no other worker escapes
    "done",
    "was done",  # by an earlier run, under the same key
    "claimed",  # somebody else is at it
    "set aside",  # failed too often before
    "stopped",  # as it was asked to
    "failed",
    "full",  # the disk is
    "lost",  # the worker is gone
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says, or what is said of one that is gone.

    Attributes:
        kind: what came of it.
        row: of a task that is done, see `Prepared.do`.
        reason: why it is not.
        key: that it failed under, see `key_of`; empty if that is not known.
        again: whether another attempt may go better.
        fresh: whether the worker is not to be trusted with another task.
        late: whether it was ended for taking too long.
    """

    kind: Kind
    row: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    key: str = ""
    again: bool = False
    fresh: bool = False
    late: bool = False


@runtime_checkable
class Engine(Protocol):
    """Workers in numbered slots, each with one task at a time."""

    def start(self, slot: int) -> None:
        """Start a worker; `wait` says when it is ready."""
        ...

    def give(self, slot: int, task: Task) -> None:
        """Give a task to a worker that is ready and has none."""
        ...

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        """What was answered, by slot; waits at most so long for the first."""
        ...

    def ask_to_stop(self, slot: int) -> None:
        """Ask a worker to stop where its task can be gone on with."""
        ...

    def end(self, slot: int) -> None:
        """End a worker at once; nothing more is heard of it."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...
