"""Work on a CPU beside the caller's own."""

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """A call in a thread of its own, which begins at once.

    Worth it for what leaves the interpreter alone, such as OpenCV.

    Args:
        call: what to do.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._answers: list[T] = []
        self._errors: list[BaseException] = []
        self._thread = Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the call is over."""
        self._thread.join()

    def result(self) -> T:
        """What the call returned, once it has; what it raised is raised here."""
        self.wait()
        if self._errors:
            raise self._errors[0]
        return self._answers[0]

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self._answers.append(call())
        except BaseException as error:
            self._errors.append(error)
