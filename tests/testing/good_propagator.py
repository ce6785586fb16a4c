"""The flow teacher, with sessions that can be bent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ditta_adapt import Frame, Prompt
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator


class Session:
    """Passes everything on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        return self.inner.prompt(t, prompts)

    def propagate(self, t: int, to: int) -> Any:
        return self.inner.propagate(t, to)

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        return self.inner.warp(maps, t, to)


class GoodPropagator:
    """The flow teacher; sessions are of a class of one's choice."""

    def __init__(self, session: Callable[[Any], Any] = Session) -> None:
        self.flow, self.session = OpticalFlowPropagator(), session

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        with self.flow.open(frames) as inner:
            yield self.session(inner)
