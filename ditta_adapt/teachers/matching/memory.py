"""The frames that objects are looked for in: where they began, now and then, and the last one."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.teachers.matching.network import MatchingNetwork


@dataclass(frozen=True, slots=True)
class Remembered:
    """One frame.

    Attributes:
        t: its index.
        keys: see `MatchingVideo.keys`.
        masks: of all objects there, soft, in [0, 1].
        known: which objects had begun; of others the frame says nothing.
        began: whether an object began here.
    """

    t: int
    keys: Float[Tensor, "D h w"]
    masks: Float[Tensor, "K h w"]
    known: Bool[Tensor, " K"]
    began: bool

    def without(self, count: int) -> "Remembered":
        """The same where `count` further objects had not begun yet."""
        masks = F.pad(self.masks, (0, 0, 0, 0, 0, count))
        known = F.pad(self.known, (0, count), value=False)
        return Remembered(self.t, self.keys, masks, known, self.began)


class Memory:
    """What is remembered of a video for the objects of one session.

    Kept are the last frame, frames at which objects began, and every k-th frame; of both the
    latest, so that there are never more than `most`.

    Args:
        network: reads.
        every: `k`.
        most: frames, at least 3.
        top_k: see `nearest`.
    """

    def __init__(self, network: MatchingNetwork, *, every: int, most: int, top_k: int) -> None:
        self._network = network
        self._every, self._most, self._top_k = every, most, top_k
        self.frames: list[Remembered] = []

    def begin(self, t: int, keys: Float[Tensor, "D h w"], masks: Float[Tensor, "N h w"]) -> None:
        """New objects on frame `t`, the last one."""
        before = self.frames.pop().masks if self.frames and self.frames[-1].t == t else masks[:0]
        self.frames = [each.without(len(masks)) for each in self.frames]
        self._append(t, keys, torch.cat([before, masks]), began=True)

    def follow(self, t: int, keys: Float[Tensor, "D h w"]) -> Float[Tensor, "K h w"]:
        """Soft masks of all objects on frame `t`, which is remembered from now on."""
        with torch.no_grad():
            logits = self._network.read(
                keys,
                [(each.keys, each.masks) for each in self.frames],
                reach=[self._reach(each) for each in self.frames],
                top_k=self._top_k,
                known=torch.stack([each.known for each in self.frames]),
            )
        masks = logits.softmax(dim=0)[1:]
        self._append(t, keys, masks, began=False)
        return masks

    def _reach(self, remembered: Remembered) -> int:
        """How far an object is looked for, in cells: a tenth of the frame around each place.

        Where it began farther, so that what was lost is found again.
        """
        return round(max(remembered.keys.shape[1:]) * (0.3 if remembered.began else 0.1))

    def _append(self, t: int, keys: Tensor, masks: Tensor, *, began: bool) -> None:
        if self.frames and not (self.frames[-1].began or self.frames[-1].t % self._every == 0):
            self.frames.pop()
        starts = [i for i, each in enumerate(self.frames) if each.began][-(self._most // 2) :]
        others = [i for i, each in enumerate(self.frames) if not each.began]
        others = others[max(len(others) - (self._most - 1 - len(starts)), 0) :]
        known = torch.ones(len(masks), dtype=torch.bool, device=masks.device)
        new = Remembered(t, keys, masks, known, began)
        self.frames = [*(self.frames[i] for i in sorted([*starts, *others])), new]
