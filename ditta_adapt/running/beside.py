"""Work that is done beside the caller's own, in order, by one thread."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Gives items to a function in a thread of its own, one after the other; a context.

    An error of the function is raised by the next `put` or `drain`, and nothing is done after it.

    Args:
        work: what is done with an item.
        waiting: how many items may wait before `put` does, so that memory stays bounded.
    """

    def __init__(self, work: Callable[[T], None], *, waiting: int = 4) -> None:
        self._work, self._waiting = work, waiting
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> "Beside[T]":
        return self

    def __exit__(self, *error: object) -> None:
        # What waits is dropped: after an error it would be of no use, else there is nothing.
        self._pool.shutdown(cancel_futures=True)

    def put(self, item: T) -> None:
        """Have the work done with one more item."""
        if len(self._pending) == self._waiting:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._once, item))

    def drain(self) -> None:
        """Wait until everything is done."""
        while self._pending:
            self._pending.popleft().result()

    def _once(self, item: T) -> None:
        if self._failed:
            return
        try:
            self._work(item)
        except BaseException:
            self._failed = True
            raise
