"""A propagator whose sessions share what they compute from frames alone."""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.base_session import BaseSession
from ditta_adapt.teachers.shared_video import SharedVideo

V = TypeVar("V", bound=SharedVideo)
S = TypeVar("S", bound=BaseSession)  # type: ignore[type-arg]


class BasePropagator(ABC, Generic[V, S]):
    """Opens sessions, and lets those that are open on the same frames share a `SharedVideo`.

    A subclass says what is shared (`_watch`) and what a session is (`_session`); its `__init__`
    calls this one.
    """

    def __init__(self) -> None:
        # Weak: whether a video is needed, its sessions say.
        self._videos: weakref.WeakSet[V] = weakref.WeakSet()

    @abstractmethod
    def _watch(self, frames: Sequence[Frame]) -> V:
        """What sessions on these frames are to share; called when the first of them is opened."""

    @abstractmethod
    def _session(self, video: V) -> S:
        """A new session on a video."""

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[S]:
        """Start a session; see `Propagator.open` for what sessions share.

        Raises:
            InputError: no frames.
            ShapeError: the first frame is not `(H, W, 3)` uint8.
        """
        session = self._session(self._shared(frames))
        try:
            yield session
        finally:
            session.close()

    def _shared(self, frames: Sequence[Frame]) -> V:
        for video in self._videos:
            # Of the same sequence, and not merely of equal frames: it may grow.
            if video.frames is frames and video.sessions:
                return video
        video = self._watch(frames)
        self._videos.add(video)
        return video
