"""One worker on this machine, in a process of its own, so that it can be ended."""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.work import Task
from ditta_adapt.batch.worker import Worker


@dataclass(frozen=True, slots=True)
class _Running:
    process: SpawnProcess
    pipe: Connection


class LocalEngine:
    """Workers that are processes of this machine, see `Engine`.

    Args:
        worker: what each of them is.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._running: dict[int, _Running] = {}

    def start(self, slot: int) -> None:
        """See `Engine`."""
        # Not forked: CUDA does not survive that, nor do threads.
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._worker), daemon=True)
        process.start()
        # Or a worker that is gone would never be seen to be.
        theirs.close()
        self._running[slot] = _Running(process, mine)

    def give(self, slot: int, task: Task) -> None:
        """See `Engine`."""
        # One that is gone by now is found to be by `wait`.
        with suppress(OSError):
            self._running[slot].pipe.send(task)

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        """See `Engine`."""
        slots = {running.pipe: slot for slot, running in self._running.items()}
        answers: list[tuple[int, Answer]] = []
        for pipe in wait(list(slots), max(seconds, 0)):
            assert isinstance(pipe, Connection)
            try:
                answer = pipe.recv()
            except (EOFError, OSError):
                answer = self._bury(slots[pipe])
            answers.append((slots[pipe], answer))
        return answers

    def ask_to_stop(self, slot: int) -> None:
        """See `Engine`."""
        self._running[slot].process.terminate()

    def end(self, slot: int) -> None:
        """See `Engine`."""
        running = self._running.pop(slot, None)
        if running is not None:
            running.process.kill()
            running.process.join()
            running.pipe.close()

    def close(self) -> None:
        """See `Engine`."""
        for slot in list(self._running):
            self.end(slot)

    def _bury(self, slot: int) -> Answer:
        running = self._running.pop(slot)
        running.process.join()
        running.pipe.close()
        code = running.process.exitcode or 0
        if code >= 0:
            return Answer("lost", reason=f"the worker ended with status {code}", again=True)
        name = signal.Signals(-code).name
        memory = "; the system does that where memory runs out" if name == "SIGKILL" else ""
        return Answer("lost", reason=f"the worker was ended by {name}{memory}", again=True)


def _serve(pipe: Connection, worker: Worker) -> None:
    """The life of a worker's process."""

    def ask(number: int, frame: FrameType | None) -> None:
        worker.stop()

    # Ctrl-C reaches all processes of a terminal; the driver's word is what counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ask)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        pipe.send(worker.prepare())
        while True:
            pipe.send(worker.perform(pipe.recv()))


def _end_with_parent() -> None:
    """A driver that was killed leaves no worker behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
