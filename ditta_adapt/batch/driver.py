"""Every task to a worker until all are done or set aside, whatever becomes of the workers."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ditta_adapt.batch.engine import Answer, Engine
from ditta_adapt.batch.place import Place
from ditta_adapt.batch.standing import Standing, Watch, unwatched
from ditta_adapt.batch.waiting import Turn, Waiting
from ditta_adapt.batch.work import Task
from ditta_adapt.errors import DittaError, InputError
from ditta_adapt.running.stopping import Stop

_LONGEST_NAP = 1.0
_GRACE = 30.0
_MOST_STARTS = 3


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
    be unwell is replaced; one that cannot begin is tried a few times. What was done before under
    the same key is not done again; what another batch is at is waited for, and taken over should
    that one end. If the disk is full, no worker is left, or it is asked to stop, workers stop
    where they can be gone on with, and the same call goes on later.

    Args:
        tasks: with names of their own.
        engine: where workers run; closed in the end.
        out: folder of the results, one folder a task.
        workers: how many, at most.
        limits: of a task.
        stop: asks to stop.
        watch: sees how far it is.

    Raises:
        InputError: a name twice; or no worker can load what it needs.
        WorkersLostError: all workers end before their first task, again and again.
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
        # Each slot is in one of these, or was given up.
        self._resting: dict[int, float] = {}
        self._starting: set[int] = set()
        self._idle: set[int] = set()
        self._busy: dict[int, _Busy] = {}
        self._lost_starts: Counter[int] = Counter()
        self._was_ready = False
        self._standing = Standing(len(tasks))
        self._news: list[tuple[Task | None, Answer | None]] = []

    def run(self, workers: int) -> Standing:
        standing, told = self._standing, time.monotonic()
        for slot in range(min(workers, len(self._waiting))):
            self._start(slot)
        while not (standing.complete or self._stop.asked or standing.halted):
            self._dispatch()
            for slot, answer in self._engine.wait(self._nap()):
                self._hear(slot, answer)
            self._end_overdue()
            self._dispatch()
            if time.monotonic() - told > _LONGEST_NAP:
                self._news.append((None, None))
            if self._news:
                told = time.monotonic()
                self._tell()
        if not standing.complete:
            self._stop_workers()
            self._tell()
        return standing

    def _tell(self) -> None:
        self._standing.ready = len(self._idle) + len(self._busy)
        self._standing.running = len(self._busy)
        for task, answer in self._news:
            self._watch(self._standing, task, answer)
        self._news.clear()

    def _start(self, slot: int) -> None:
        self._engine.start(slot)
        self._starting.add(slot)

    def _replace(self, slot: int) -> None:
        self._engine.end(slot)
        self._start(slot)

    def _dispatch(self) -> None:
        if self._stop.asked or self._standing.halted:
            return
        now = time.monotonic()
        for slot in [slot for slot, due in self._resting.items() if due <= now]:
            del self._resting[slot]
            self._start(slot)
        while self._idle and (turn := self._waiting.take(now)) is not None:
            slot = self._idle.pop()
            self._busy[slot] = _Busy(turn, now)
            self._engine.give(slot, turn.task)

    def _nap(self) -> float:
        """Until something may have to be done that no worker tells of."""
        now = time.monotonic()
        due = [now + _LONGEST_NAP, *self._resting.values()]
        if self._idle and (next_due := self._waiting.next_due()) is not None:
            due.append(next_due)
        return max(min(due) - now, 0.0)

    def _hear(self, slot: int, answer: Answer) -> None:
        if slot in self._starting:
            self._hear_start(slot, answer)
            return
        busy = self._busy.pop(slot, None)
        if answer.kind == "lost" or answer.fresh:
            self._idle.discard(slot)
            self._replace(slot)
        else:
            self._idle.add(slot)
        # A worker may be gone while it had nothing to do.
        if busy is not None:
            self._settle(busy.turn, answer)

    def _hear_start(self, slot: int, answer: Answer) -> None:
        self._starting.discard(slot)
        if answer.kind == "ready":
            self._was_ready = True
            self._lost_starts[slot] = 0
            self._idle.add(slot)
            self._news.append((None, answer))
            return
        self._engine.end(slot)
        self._lost_starts[slot] += 1
        lost = self._lost_starts[slot]
        if answer.kind != "unfit" and lost < _MOST_STARTS:
            pause = self._limits.pause(self._limits.back_off, lost - 1)
            self._resting[slot] = time.monotonic() + pause
        elif not (self._resting or self._starting or self._idle or self._busy):
            self._no_worker_left(answer)

    def _no_worker_left(self, answer: Answer) -> None:
        if self._was_ready:
            self._standing.halted = f"no worker is left; the last one ended so: {answer.reason}"
        elif answer.kind == "unfit":
            raise InputError(answer.reason)
        else:
            raise WorkersLostError(
                f"{_MOST_STARTS} workers in a row ended before they could begin, the last one so: "
                f"{answer.reason}. Is there memory enough for one model a worker?"
            )

    def _settle(self, turn: Turn, answer: Answer) -> None:
        standing, now = self._standing, time.monotonic()
        standing.claimed -= turn.claimed > 0
        match answer.kind:
            case "claimed":
                standing.claimed += 1
                pause = self._limits.pause(self._limits.look_again, turn.claimed)
                self._waiting.put(replace(turn, claimed=turn.claimed + 1), now + pause)
            case "full":
                standing.halted = answer.reason
            case "stopped":
                self._waiting.put(replace(turn, claimed=0), now)
            case "failed" | "lost":
                self._failed(turn, answer)
            case _:
                standing.answers[turn.task.name] = answer
        self._news.append((turn.task, answer))

    def _failed(self, turn: Turn, answer: Answer) -> None:
        place = Place(self._out, turn.task.name)
        lost = answer.kind == "lost"
        # Machines that are taken away again and again do not set a long video aside.
        reached = place.reached() if lost and not answer.late else turn.reached
        failures = 1 if reached > turn.reached else turn.failures + 1
        given_up = not (answer.again or lost) or failures >= self._limits.attempts
        key = answer.key or (place.troubles().key if lost else "")
        try:
            # Of what was not even looked at nothing is known that would hold the next time.
            if key:
                place.add_trouble(key, answer.reason, given_up=given_up)
        except DittaError as error:
            # Where not even this can be written, nothing can.
            self._standing.halted = str(error)
            return
        if given_up:
            self._standing.answers[turn.task.name] = replace(answer, kind="failed", again=False)
            return
        due = time.monotonic() + self._limits.pause(self._limits.back_off, failures - 1)
        self._waiting.put(replace(turn, failures=failures, claimed=0, reached=reached), due)

    def _end_overdue(self) -> None:
        if self._limits.seconds is None:
            return
        now = time.monotonic()
        for slot, busy in list(self._busy.items()):
            if now - busy.started > self._limits.seconds:
                del self._busy[slot]
                self._replace(slot)
                reason = f"it took longer than {self._limits.seconds:g} s"
                self._settle(busy.turn, Answer("lost", reason=reason, late=True))

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
