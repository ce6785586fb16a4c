"""What a second look says of everybody who may speak."""

from dataclasses import dataclass
from statistics import fmean

import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.ops.later import Later
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.carried import Carried, Said


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a second look said of each candidate; not read before the next frame.

    Attributes:
        names: of the candidates, the image model among them.
        scores: how far each agrees with the look, and then again with the labels of the frame
            before, if these were carried along.
    """

    names: tuple[Speaker, ...]
    scores: Later

    def opinions(self) -> dict[Speaker, float]:
        """How much better than the image model each of the others agrees; waits for the device."""
        scores, count = self.scores.read(), len(self.names)
        kinds = [scores[start : start + count] for start in range(0, len(scores), count)]
        plain = self.names.index("image model")
        return {
            name: fmean(kind[n] - kind[plain] for kind in kinds)
            for n, name in enumerate(self.names)
            if n != plain
        }

    def verdict(self, judge: Judge) -> Judge:
        """The judge once this was heard; waits for the device."""
        return judge.after(self.opinions())


def hear(
    said: Said, look: Int64[Tensor, "h w"], num_classes: int, carried: Carried | None
) -> Hearing:
    """How far everybody's labels agree with a look that nobody has learned yet.

    What spoils a frame spoils its look and the image model's labels of it alike, and so speaks for
    the image model. Labels of the frame before do not share that, so they are heard as well, and an
    opinion is the mean of both.

    Args:
        said: labels of the frame that is looked at, on the grid of the look.
        look: labels of the look, see `Look`.
        num_classes: `C`.
        carried: those of the frame before, if there are any.
    """
    scores = agreement(list(said.values()), look, num_classes)
    if carried is not None:
        before = [carried.said[name] for name in said]
        more = agreement(before, look, num_classes, where=carried.known)
        scores = torch.cat([scores, more])
    return Hearing(tuple(said), Later(scores))
