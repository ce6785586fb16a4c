"""Work on a CPU beside the caller's own."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")


def beside(call: Callable[[], T]) -> Future[T]:
    """Begin a call in another thread; worth it for what leaves the interpreter alone, as OpenCV.

    Args:
        call: what to do.

    Returns:
        Its `result` is what the call returned, once it has; what it raised is raised there.
    """
    return _threads(os.getpid()).submit(call)


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads of a process; one that was forked has its own.

    They are kept, since OpenCV keeps near a kilobyte of every thread that it ever ran in.
    """
    return ThreadPoolExecutor(thread_name_prefix=f"flow-{process}")
