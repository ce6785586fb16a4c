"""One caller at a time, in one process: who comes second gets an error, and does not wait."""

from threading import Lock
from typing import Any

from ditta_adapt.errors import InputError


class Exclusive:
    """A context around the work of a video model that refuses to be entered while it is at work.

    A deep copy is a new one, free to be entered; in another process there is none.

    Raises:
        InputError: on entering, while somebody is inside: another thread, or the same one further
            up, such as a callback. On pickling.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise InputError(
                "the video model was called while it was at work, by another thread or from a "
                "callback. Two streams take two video models: wrap the same model again, which "
                "shares its memory."
            )

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Exclusive":
        return Exclusive()

    def __reduce__(self) -> str:
        raise InputError(
            "a video model cannot be pickled: it holds the caller's model, and perhaps an open "
            "session. Send the folder of save_pretrained, and in the other process call "
            "wrap(model).load_pretrained(folder)."
        )
