"""The frames that objects are looked for in: where they began, now and then, and the last one."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.teachers.matching.affinity import nearest
from ditta_adapt.teachers.matching.soft_aggregation import soft_aggregation


@dataclass(frozen=True, slots=True)
class Remembered:
    """One frame.

    Attributes:
        t: its index.
        keys: see `frame_keys`.
        values: soft masks of all objects there, in [0, 1].
        known: which objects had begun; of others the frame says nothing.
        began: whether an object began here.
    """

    t: int
    keys: Float[Tensor, "D h w"]
    values: Float[Tensor, "K h w"]
    known: Bool[Tensor, " K"]
    began: bool

    def with_new(self, values: Float[Tensor, "N h w"] | None, count: int) -> "Remembered":
        """With `count` further objects, which begin here, or have not begun yet."""
        begins = values is not None
        new = self.values.new_zeros(count, *self.values.shape[1:]) if values is None else values
        return replace(
            self,
            values=torch.cat([self.values, new]),
            known=F.pad(self.known, (0, count), value=begins),
            began=self.began or begins,
        )


class Memory:
    """What is remembered of a video for the objects of one session.

    Kept are the last frame, frames at which objects began, and every k-th frame; of both the
    latest, so that there are never more than `most`.

    Args:
        every: `k`.
        most: frames, at least 3.
        top_k, temperature: see `nearest`.
    """

    def __init__(self, *, every: int, most: int, top_k: int, temperature: float) -> None:
        self._every, self._most = every, most
        self._top_k, self._temperature = top_k, temperature
        self.frames: list[Remembered] = []

    def begin(self, t: int, keys: Float[Tensor, "D h w"], masks: Float[Tensor, "N h w"]) -> None:
        """New objects on frame `t`, the last one."""
        count = len(masks)
        if not self.frames or self.frames[-1].t != t:
            nothing = masks.new_zeros(0, *masks.shape[1:])
            self._append(Remembered(t, keys, nothing, nothing.new_zeros(0).bool(), began=False))
        *others, last = self.frames
        self.frames = [each.with_new(None, count) for each in others]
        self.frames.append(last.with_new(masks, count))

    def follow(self, t: int, keys: Float[Tensor, "D h w"]) -> Float[Tensor, "K h w"]:
        r"""Soft masks of all objects on frame `t`, which is remembered from now on.

        .. math:: p_k(x) = \frac{\sum_y W(x, y)\, m_k(y)}{\sum_y W(x, y)\, [k \text{ known in } y]}

        and then objects share each cell, see `soft_aggregation`.
        """
        found = nearest(
            keys,
            torch.stack([each.keys for each in self.frames]),
            [self._reach(each, keys) for each in self.frames],
            top_k=self._top_k,
            temperature=self._temperature,
            nearness=1.0,
        )
        masks = found.read(torch.stack([each.values for each in self.frames]))
        known = torch.stack([each.known for each in self.frames])
        if not bool(known.all()):
            shown = known.to(masks)[:, :, None, None].expand(-1, -1, *masks.shape[1:])
            masks = masks / found.read(shown).clamp(min=torch.finfo(masks.dtype).tiny)
        masks = soft_aggregation(masks.clamp(0, 1))
        everyone = torch.ones(len(masks), dtype=torch.bool, device=masks.device)
        self._append(Remembered(t, keys, masks, everyone, began=False))
        return masks

    def _reach(self, remembered: Remembered, keys: Tensor) -> int:
        """How far an object is looked for, in cells: a tenth of the frame around each place.

        Where it began farther, so that what was lost is found again.
        """
        return round(max(keys.shape[1:]) * (0.3 if remembered.began else 0.1))

    def _append(self, new: Remembered) -> None:
        if self.frames and not (self.frames[-1].began or self.frames[-1].t % self._every == 0):
            self.frames.pop()
        began = [i for i, each in enumerate(self.frames) if each.began][-(self._most // 2) :]
        others = [i for i, each in enumerate(self.frames) if not each.began]
        others = others[max(len(others) - (self._most - 1 - len(began)), 0) :]
        self.frames = [*(self.frames[i] for i in sorted([*began, *others])), new]
