"""A propagator's session that outlives the call in which it was opened."""

import weakref
from typing import Any

from ditta_adapt.errors import PropagationError
from ditta_adapt.teachers.checked_calls import propagator_errors
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.propagator import Propagator


class HeldSession:
    """A session on frames that still come in, open until `close`, or until this object is garbage.

    Raises:
        PropagationError: here and in all methods: the propagator raised.
    """

    def __init__(self, propagator: Propagator, frames: LiveFrames) -> None:
        with propagator_errors("open"):
            context = propagator.open(frames)
            self._session: Any = context.__enter__()
        # Also when the process ends: what is left open until torch goes down aborts in it.
        self._leave = weakref.finalize(self, context.__exit__, None, None, None)

    @property
    def session(self) -> Any:
        """The session itself; an error once it is closed."""
        if not self._leave.alive:
            raise PropagationError("the session is closed; open a new one.")
        return self._session

    def close(self) -> None:
        """End the session, and let go of it; nothing happens if it has ended."""
        self._session = None
        with propagator_errors("close"):
            self._leave()
