"""How far a batch is, and who is told."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.work import Task


@dataclass
class Standing:
    """How far a batch is.

    Attributes:
        total: number of tasks.
        ready: workers that have loaded what they need.
        running: tasks that a worker is at.
        claimed: tasks that somebody else was last found at.
        answers: the last word on each task, by name: done, was done, failed (then it is set aside)
            or set aside (before).
        halted: why nothing more can be done now, such as a full disk; empty if it can.
    """

    total: int
    ready: int = 0
    running: int = 0
    claimed: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    halted: str = ""

    @property
    def complete(self) -> bool:
        """Whether there is a last word on every task."""
        return len(self.answers) == self.total


Watch = Callable[[Standing, Task | None, Answer | None], None]
"""Called after every answer, with its task (none for a worker that got ready); and every second."""


def unwatched(standing: Standing, task: Task | None, answer: Answer | None) -> None:
    """A watch that does nothing."""
