"""Which videos are held out, and which clips are learned in which order."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.training.balance import balanced_weights

MOST_HELD_OUT = 32


def split_videos(
    count: int, held_out: float, random: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Indices of the videos to learn from, and of those held out, in rising order.

    Args:
        count: of the videos, at least 2.
        held_out: share of them; one at least is held out, and one at least is learned. No more than
            `MOST_HELD_OUT` are, since their frames are kept.
        random: draws.

    Raises:
        InputError: fewer than two videos.
    """
    if count < 2:
        raise InputError(
            f"there are {count} videos; expected two at least: one to learn from, and one that "
            "decides what is kept."
        )
    number = min(max(round(held_out * count), 1), count - 1, MOST_HELD_OUT)
    chosen = set(random.choice(count, size=number, replace=False).tolist())
    return [i for i in range(count) if i not in chosen], sorted(chosen)


class RareClasses:
    r"""Draws videos by the classes that were seen in them: the rare ones more often.

    .. math:: P(v) \propto \sum_c s_v(c)\, w_c, \qquad w_c \propto f_c^{-e}

    with the share `s_v` of class `c` in the labels of video `v`, and `f_c`, its share in all
    videos. Before every video was visited once, all are drawn, in random order; one that taught
    nothing has the mean chance of the others.

    Args:
        videos: how many there are.
        classes: of the model.
        exponent: `e` in [0, 1].

    Attributes:
        counts: labels seen so far, `(videos, classes)`.
        visited: which videos a clip was drawn of, `(videos,)` bool.

    Source: rare-class sampling of DAFormer (Hoyer et al., CVPR 2022), by the frequency of
    pseudo-labels in place of true ones.
    """

    def __init__(self, videos: int, classes: int, exponent: float) -> None:
        self.counts = torch.zeros(videos, classes, dtype=torch.float64, device="cpu")
        self.visited = torch.zeros(videos, dtype=torch.bool, device="cpu")
        self._exponent = exponent

    def visit(self, video: int) -> None:
        """A clip of a video was drawn, whatever it taught."""
        self.visited[video] = True

    def saw(self, video: int, labels: list[Int64[Tensor, "H W"]]) -> None:
        """Labels of a clip of a video; negative ones do not count."""
        for each in labels:
            known = each[each >= 0].flatten().long().cpu()
            self.counts[video] += torch.bincount(known, minlength=self.counts.shape[1])

    @property
    def shares(self) -> Float[Tensor, " C"]:
        """Of each class among all labels seen, `f_c`."""
        total = self.counts.sum(dim=0)
        return total / total.sum().clamp(min=1)

    def draw(self, count: int, random: np.random.Generator) -> list[int]:
        """So many videos, in the order in which they are to be learned."""
        videos = len(self.counts)
        seen = self.counts.sum(dim=1, keepdim=True)
        taught = seen[:, 0] > 0
        if not bool(self.visited.all()) or not bool(taught.any()):
            order = [random.permutation(videos) for _ in range(-(-count // videos))]
            return [int(each) for each in np.concatenate(order)[:count]]
        weights = balanced_weights(self.shares, self._exponent)
        chance = ((self.counts / seen.clamp(min=1)) * weights).sum(dim=1)
        chance = torch.where(taught, chance, chance[taught].mean())
        probabilities = (chance / chance.sum()).numpy()
        return [int(each) for each in random.choice(videos, size=count, p=probabilities)]
