"""Tasks that wait for a worker: those not tried yet in their order, and others until a time."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from ditta_adapt.batch.work import Task


@dataclass(frozen=True, slots=True)
class Turn:
    """A task, and how it went so far.

    Attributes:
        task: what is to be done.
        failures: attempts that failed in this run.
        claimed: how often somebody else was found at it.
        reached: how far the last attempt came whose worker was lost, see `Place.reached`.
    """

    task: Task
    failures: int = 0
    claimed: int = 0
    reached: int = 0


class Waiting:
    """The tasks that no worker has.

    Args:
        tasks: in their order.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._first = deque(Turn(task) for task in tasks)
        self._later: list[tuple[float, int, Turn]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._first) + len(self._later)

    def put(self, turn: Turn, due: float) -> None:
        """Let a task wait until a time, in seconds of the clock that `take` is asked with."""
        heapq.heappush(self._later, (due, next(self._numbers), turn))

    def take(self, now: float) -> Turn | None:
        """A task whose time has come; none if there is none."""
        if self._later and self._later[0][0] <= now:
            return heapq.heappop(self._later)[2]
        return self._first.popleft() if self._first else None

    def next_due(self) -> float | None:
        """When the next one is due; none if one is due at any time, or nothing waits."""
        return self._later[0][0] if self._later and not self._first else None
