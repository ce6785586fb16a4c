"""The frames that objects are looked for in: where they began, and every so many since."""

from collections import deque
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.teachers.stcn.network import read


@dataclass(frozen=True, slots=True)
class Remembered:
    """One frame, and some objects in it.

    Attributes:
        key: `(1, C, h, w)`.
        values: of objects that follow one another in the order in which they began.
        first: the number of the first of these, from 0.
    """

    key: Float[Tensor, "1 C h w"]
    values: Float[Tensor, "K V h w"]
    first: int = 0

    def of(self, objects: range) -> Float[Tensor, "K2 V h w"] | None:
        """Values of some of them; none if not all are there."""
        start, stop = objects.start - self.first, objects.stop - self.first
        return self.values[start:stop] if start >= 0 and stop <= len(self.values) else None


class StcnMemory:
    """What is remembered of a video for the objects of one session.

    Kept are the frames at which objects began, for these alone, so that what was followed before
    goes on as if there were no others; and of every k-th frame the latest, for all objects that had
    begun. The last frame is not: what it got wrong would be believed at once.

    Args:
        every: `k`.
        most: of every k-th frame, at least 1.
        top_k: see `read`.

    Source: Cheng et al., NeurIPS 2021, whose memory has no bound.
    """

    def __init__(self, *, every: int, most: int, top_k: int) -> None:
        self._every, self._top_k = every, top_k
        self.begins: list[Remembered] = []
        self.since: deque[Remembered] = deque(maxlen=most)

    def wants(self, t: int) -> bool:
        """Whether frame `t` is one of every k."""
        return t % self._every == 0

    def begin(self, key: Float[Tensor, "1 C h w"], values: Float[Tensor, "K V h w"]) -> None:
        """New objects, in the frame in which they begin."""
        first = sum(len(each.values) for each in self.begins)
        self.begins.append(Remembered(key, values, first))

    def add(self, key: Float[Tensor, "1 C h w"], values: Float[Tensor, "K V h w"]) -> None:
        """All objects so far, in a later frame."""
        self.since.append(Remembered(key, values))

    def read(self, key: Float[Tensor, "1 C h w"]) -> Float[Tensor, "K V h w"]:
        """What is remembered of each object, where frames look like this one.

        An object is looked for in frames since it began: of others nothing is known.
        """
        found: list[Tensor] = []
        for begun in self.begins:
            own = range(begun.first, begun.first + len(begun.values))
            known = [(each, each.of(own)) for each in (begun, *self.since)]
            frames = [(each.key, values) for each, values in known if values is not None]
            keys = torch.stack([frame for frame, _ in frames], dim=2)
            values = torch.stack([value for _, value in frames], dim=2)
            # One affinity for all objects: their values side by side.
            together = read(key, keys, values.flatten(0, 1)[None], top_k=self._top_k)
            found.append(together.reshape(len(own), -1, *key.shape[2:]))
        return torch.cat(found)
