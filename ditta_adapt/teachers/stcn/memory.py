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
        t: its index.
        key: `(1, C, h, w)`.
        values: of objects that follow one another in the order in which they began.
        first: the number of the first of these, from 0.
    """

    t: int
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
        local: whether an object is looked for only as far as it can have come.

    Source: Cheng et al., NeurIPS 2021, whose memory has no bound.
    """

    def __init__(self, *, every: int, most: int, top_k: int, local: bool = True) -> None:
        self._every, self._top_k, self._local = every, top_k, local
        self.begins: list[Remembered] = []
        self.since: deque[Remembered] = deque(maxlen=most)

    def wants(self, t: int) -> bool:
        """Whether frame `t` is one of every k."""
        return t % self._every == 0

    def begin(
        self, t: int, key: Float[Tensor, "1 C h w"], values: Float[Tensor, "K V h w"]
    ) -> None:
        """New objects, in the frame in which they begin."""
        first = sum(len(each.values) for each in self.begins)
        self.begins.append(Remembered(t, key, values, first))

    def add(self, t: int, key: Float[Tensor, "1 C h w"], values: Float[Tensor, "K V h w"]) -> None:
        """All objects so far, in a later frame."""
        self.since.append(Remembered(t, key, values))

    def read(self, t: int, key: Float[Tensor, "1 C h w"]) -> Float[Tensor, "K V h w"]:
        """What is remembered of each object, where frames look like frame `t`.

        An object is looked for in frames since it began: of others nothing is known.
        """
        found: list[Tensor] = []
        for begun in self.begins:
            own = range(begun.first, begun.first + len(begun.values))
            known = [(each, each.of(own)) for each in (begun, *self.since)]
            frames = [(each, values) for each, values in known if values is not None]
            keys = torch.stack([each.key for each, _ in frames], dim=2)
            values = torch.stack([value for _, value in frames], dim=2)
            reach = [_reach(abs(t - each.t), key) for each, _ in frames] if self._local else None
            # One affinity for all objects: their values side by side.
            together = read(key, keys, values.flatten(0, 1)[None], top_k=self._top_k, reach=reach)
            found.append(together.reshape(len(own), -1, *key.shape[2:]))
        return torch.cat(found)


def _reach(age: int, key: Float[Tensor, "1 C h w"]) -> float:
    r"""How far an object can have come in as many frames, in cells; at least to those around.

    .. math:: r = \max(1.5,\; (0.3 + 0.02\, a) \min(h, w))

    What looks like an object and is farther away is another.
    """
    return max(1.5, (0.3 + 0.02 * age) * min(key.shape[2:]))
