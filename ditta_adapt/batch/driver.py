"""Every task to a worker until all are done or set aside, whatever becomes of the workers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ditta_adapt.batch.engine import Answer, Engine
from ditta_adapt.batch.place import Place
from ditta_adapt.batch.waiting import Turn, Waiting
from ditta_adapt.batch.work import Task
from ditta_adapt.errors import DittaError, InputError
from ditta_adapt.running.stopping import Stop

_LONGEST_NAP = 1.0
_GRACE = 30.0
_STARTS_LOST = 3


class WorkersLostError(DittaError):
    """Workers end before they can do anything."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a task is allowed.

    Attributes:
        attempts: after so many failures it is set aside.
        seconds: after which an attempt is ended and counts as failed; none for no limit.
        back_off: seconds before the second attempt; twice as many before every further one.
        look_again: seconds until a task that somebody else is at is asked for again; likewise.
        longest: neither of the two grows beyond.
    """

    attempts: int = 3
    seconds: float | None = None
    back_off: float = 1.0
    look_again: float = 1.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError(f"attempts is {self.attempts}; expected at least 1.")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"the time limit is {self.seconds} s; expected more than 0.")

    def pause(self, first: float, before: int) -> float:
        """Seconds to wait, after as many waits before this one."""
        return float(min(first * 2 ** min(before, 30), self.longest))


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
        full: why nothing more can be written; empty if it can.
    """

    total: int
    ready: int = 0
    running: int = 0
    claimed: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    full: str = ""

    @property
    def complete(self) -> bool:
        """Whether there is a last word on every task."""
        return len(self.answers) == self.total


Watch = Callable[[Standing, Task | None, Answer], None]
"""Called after every answer, with the task it is about; none for a worker that got ready."""


def unwatched(standing: Standing, task: Task | None, answer: Answer) -> None:
    """A watch that does nothing."""


def run_batch(
    tasks: Sequence[Task],
    engine: Engine,
    out: Path,
    *,
    workers: int = 1,
    limits: Limits | None = None,
    stop: Stop | None = None,
    watch: Watch = unwatched,
) -> Standing:
    """Give every task to a worker; a task that fails is tried again, and set aside in the end.

    As many tasks are under way as there are workers. A worker that is gone, takes too long, or may
    be unwell is replaced. What was done before under the same key is not done again; what another
    batch is at is waited for, and taken over should that one end. If the disk is full, or when
    asked to stop, workers stop where they can be gone on with, and the same call goes on later.

    Args:
        tasks: with names of their own.
        engine: where workers run; closed in the end.
        out: folder of the results, one folder a task.
        workers: how many, at most.
        limits: of a task.
        stop: asks to stop.
        watch: sees how far it is.

    Raises:
        InputError: a name twice; or workers cannot load what they need.
        WorkersLostError: workers end before their first task, again and again.
    """
    names = {task.name for task in tasks}
    if len(names) != len(tasks):
        raise InputError("two tasks have the same name; expected a folder of results for each.")
    if workers < 1:
        raise InputError(f"the number of workers is {workers}; expected at least 1.")
    try:
        return _Driver(tasks, engine, out, limits or Limits(), stop or Stop(), watch).run(workers)
    finally:
        engine.close()


@dataclass(slots=True)
class _Busy:
    turn: Turn
    started: float


class _Driver:
    def __init__(
        self,
        tasks: Sequence[Task],
        engine: Engine,
        out: Path,
        limits: Limits,
        stop: Stop,
        watch: Watch,
    ) -> None:
        self._engine, self._out, self._limits = engine, out, limits
        self._stop, self._watch = stop, watch
        self._waiting = Waiting(tasks)
        self._starting: set[int] = set()
        self._idle: set[int] = set()
        self._busy: dict[int, _Busy] = {}
        self._lost_starts = 0
        self._standing = Standing(len(tasks))

    def run(self, workers: int) -> Standing:
        for slot in range(min(workers, len(self._waiting))):
            self._start(slot)
        while not (self._standing.complete or self._stop.asked or self._standing.full):
            self._dispatch()
            for slot, answer in self._engine.wait(self._nap()):
                self._hear(slot, answer)
            self._end_overdue()
        if not self._standing.complete:
            self._stop_workers()
        return self._standing

    def _start(self, slot: int) -> None:
        self._engine.start(slot)
        self._starting.add(slot)

    def _dispatch(self) -> None:
        while self._idle and (turn := self._waiting.take(time.monotonic())) is not None:
            slot = self._idle.pop()
            self._busy[slot] = _Busy(turn, time.monotonic())
            self._engine.give(slot, turn.task)
        self._count()

    def _count(self) -> None:
        self._standing.ready = len(self._idle) + len(self._busy)
        self._standing.running = len(self._busy)

    def _nap(self) -> float:
        """Until something may have to be done that no worker tells of."""
        now = time.monotonic()
        due = [_LONGEST_NAP]
        if self._idle and (next_due := self._waiting.next_due()) is not None:
            due.append(next_due - now)
        return max(min(due), 0.0)

    def _hear(self, slot: int, answer: Answer) -> None:
        if slot in self._starting:
            self._hear_start(slot, answer)
            return
        busy = self._busy.pop(slot, None)
        if answer.kind == "lost" or answer.fresh:
            self._idle.discard(slot)
            self._engine.end(slot)
            self._start(slot)
        else:
            self._idle.add(slot)
        # A worker may be gone while it had nothing to do.
        if busy is not None:
            self._settle(busy.turn, answer)

    def _hear_start(self, slot: int, answer: Answer) -> None:
        self._starting.discard(slot)
        if answer.kind == "unfit":
            raise InputError(answer.reason)
        if answer.kind != "ready":
            self._lost_starts += 1
            if self._lost_starts >= _STARTS_LOST:
                raise WorkersLostError(
                    f"{self._lost_starts} workers in a row ended before they could begin, the last "
                    f"one so: {answer.reason}. Is there memory enough for one model a worker?"
                )
            self._engine.end(slot)
            self._start(slot)
            return
        self._lost_starts = 0
        self._idle.add(slot)
        self._count()
        self._watch(self._standing, None, answer)

    def _settle(self, turn: Turn, answer: Answer) -> None:
        standing, now = self._standing, time.monotonic()
        standing.claimed -= turn.claimed > 0
        match answer.kind:
            case "claimed":
                standing.claimed += 1
                pause = self._limits.pause(self._limits.look_again, turn.claimed)
                self._waiting.put(replace(turn, claimed=turn.claimed + 1), now + pause)
            case "full":
                standing.full = answer.reason
            case "stopped":
                self._waiting.put(turn, now)
            case "failed" | "lost":
                self._failed(turn, answer)
            case _:
                standing.answers[turn.task.name] = answer
        self._count()
        self._watch(standing, turn.task, answer)

    def _failed(self, turn: Turn, answer: Answer) -> None:
        failures = turn.failures + 1
        again = answer.again or answer.kind == "lost"
        given_up = not again or failures >= self._limits.attempts
        try:
            Place(self._out, turn.task.name).add_trouble(answer.reason, given_up=given_up)
        except DittaError as error:
            # Where not even this can be written, nothing can.
            self._standing.full = str(error)
            return
        if given_up:
            self._standing.answers[turn.task.name] = replace(answer, kind="failed", again=False)
            return
        due = time.monotonic() + self._limits.pause(self._limits.back_off, turn.failures)
        self._waiting.put(replace(turn, failures=failures, claimed=0), due)

    def _end_overdue(self) -> None:
        if self._limits.seconds is None:
            return
        now = time.monotonic()
        for slot, busy in list(self._busy.items()):
            if now - busy.started > self._limits.seconds:
                del self._busy[slot]
                self._engine.end(slot)
                self._start(slot)
                reason = f"it took longer than {self._limits.seconds:g} s"
                self._settle(busy.turn, Answer("lost", reason=reason, again=True))

    def _stop_workers(self) -> None:
        """Let workers keep how far they are; those that do not in time are ended all the same."""
        for slot in self._busy:
            self._engine.ask_to_stop(slot)
        end = time.monotonic() + _GRACE
        while self._busy and (left := end - time.monotonic()) > 0:
            for slot, answer in self._engine.wait(min(left, _LONGEST_NAP)):
                busy = self._busy.pop(slot, None)
                if busy is not None and answer.kind in ("done", "was done"):
                    self._settle(busy.turn, answer)
