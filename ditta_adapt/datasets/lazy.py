"""Sequences whose items are made when they are accessed."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class LazySequence(Sequence[T_co]):
    """A sequence that makes an item each time it is accessed, and keeps none; so do its slices."""

    @abstractmethod
    def _read(self, index: int) -> T_co:
        """Make item `index`, which is in `[0, len(self))`."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        if isinstance(index, slice):
            return _Part(self, range(len(self))[index])
        return self._read(range(len(self))[index])


class _Part(LazySequence[T_co]):
    """A slice of a lazy sequence."""

    def __init__(self, whole: LazySequence[T_co], indices: range) -> None:
        self._whole, self._indices = whole, indices

    def __len__(self) -> int:
        return len(self._indices)

    def _read(self, index: int) -> T_co:
        return self._whole._read(self._indices[index])


class NoLabels(LazySequence[None]):
    """The labels of a video that has none: one `None` a frame."""

    def __init__(self, frames: Sequence[Any]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def _read(self, index: int) -> None:
        return None
