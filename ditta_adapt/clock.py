"""How long each stage of a run took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Wall time by stage.

    Attributes:
        seconds: of every stage that ended without an error, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
