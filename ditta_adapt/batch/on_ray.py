"""Workers as actors of Ray, on this machine or on a cluster."""

import queue
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.work import Task
from ditta_adapt.batch.worker import Worker
from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require


@dataclass(frozen=True, slots=True)
class Size:
    """What one worker reserves.

    Attributes:
        cpus: cores.
        gpus: devices; a part of one is shared with other workers.
    """

    cpus: int = 1
    gpus: float = 0


class RayEngine:
    """Workers that are actors of Ray, see `Engine`.

    Ray is joined where it runs (`RAY_ADDRESS`, or a cluster that was started on this machine), else
    started on this machine, and left again by `close`. A worker waits for its turn where the
    cluster has no room for it, and a cluster that can grow does.

    Args:
        worker: what each of them is.
        size: what it reserves.
        leave: whether `close` leaves the cluster; by default if it was joined here.

    Raises:
        MissingDependencyError: Ray is not installed.
        InputError: the cluster cannot be reached.
    """

    def __init__(self, worker: Worker, size: Size, *, leave: bool | None = None) -> None:
        self._ray: Any = require("ray")
        joined = join_ray()
        self._leave = joined if leave is None else leave
        # The second thread hears that the worker is to stop. Ray starts nothing anew by itself: the
        # driver counts attempts.
        self._actor = self._ray.remote(
            num_cpus=size.cpus,
            num_gpus=size.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,
        )(Worker)
        self._worker = worker
        self._actors: dict[int, Any] = {}
        self._answers: queue.SimpleQueue[tuple[int, Any, Future[Answer]]] = queue.SimpleQueue()

    def start(self, slot: int) -> None:
        """See `Engine`."""
        worker = self._worker
        actor = self._actor.remote(
            worker.work, worker.out, worker.threads, worker.folder, worker.scratch
        )
        self._actors[slot] = actor
        self._listen(slot, actor, actor.prepare.remote())

    def give(self, slot: int, task: Task) -> None:
        """See `Engine`."""
        actor = self._actors[slot]
        self._listen(slot, actor, actor.perform.remote(task))

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        """See `Engine`."""
        answers: list[tuple[int, Answer]] = []
        with suppress(queue.Empty):
            heard = self._answers.get(timeout=max(seconds, 0.001))
            while True:
                slot, actor, future = heard
                # Of one that was ended nothing more is heard.
                if self._actors.get(slot) is actor:
                    answers.append((slot, self._answer(future)))
                heard = self._answers.get_nowait()
        return answers

    def ask_to_stop(self, slot: int) -> None:
        """See `Engine`."""
        self._actors[slot].stop.remote()

    def end(self, slot: int) -> None:
        """See `Engine`."""
        actor = self._actors.pop(slot, None)
        if actor is not None:
            self._ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """See `Engine`."""
        for slot in list(self._actors):
            self.end(slot)
        if self._leave:
            self._ray.shutdown()

    def _listen(self, slot: int, actor: Any, reference: Any) -> None:
        # Called back rather than waited for: a wait looks at every worker, each time.
        future = reference.future()
        future.add_done_callback(partial(self._hear, slot, actor))

    def _hear(self, slot: int, actor: Any, future: Future[Answer]) -> None:
        self._answers.put((slot, actor, future))

    def _answer(self, future: Future[Answer]) -> Answer:
        error = future.exception()
        if error is None:
            return future.result()
        # The first lines say what happened, the others where.
        reason = " ".join(str(error).split())[:300]
        return Answer("lost", reason=f"{type(error).__name__}: {reason}", again=True)


def join_ray() -> bool:
    """Join a cluster of Ray, or start one on this machine; false if this process had before.

    Raises:
        MissingDependencyError: Ray is not installed.
        InputError: the cluster cannot be reached.
    """
    ray: Any = require("ray")
    if ray.is_initialized():
        return False
    try:
        ray.init(log_to_driver=False, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"the cluster of Ray cannot be joined: {error}") from error
    return True


def cluster_resources() -> tuple[int, int]:
    """CPUs and GPUs of the cluster that was joined."""
    found: dict[str, float] = require("ray").cluster_resources()
    return int(found.get("CPU", 0)), int(found.get("GPU", 0))
