"""What a second look says of everybody who may speak."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.later import Later
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.candidates import Candidates
from ditta_adapt.streaming.prediction import predict_labels


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a second look said of each candidate; not read before the next frame.

    Attributes:
        names: of the candidates, the image model first.
        scores: how far each agrees with the look.
    """

    names: tuple[Speaker, ...]
    scores: Later

    def verdict(self, judge: Judge) -> Judge:
        """The judge once this was heard; waits for the device."""
        plain, *others = self.scores.read()
        return judge.after(
            {name: s - plain for name, s in zip(self.names[1:], others, strict=True)}
        )


def hear(
    outputs: Mapping[Speaker, SegmenterOutput],
    candidates: Candidates,
    look: Int64[Tensor, "h w"],
) -> Hearing:
    """How far everybody's labels of a frame agree with a look that nobody has learned yet.

    Args:
        outputs: of the decoders of all who may speak, the image model first.
        candidates: what else is known of the frame.
        look: labels of the look, on the grid of the outputs; see `Look`.
    """
    grid = (look.shape[0], look.shape[1])
    num_classes = next(iter(outputs.values())).logits.shape[1]
    labels = [
        predict_labels(candidates.evidence(name, output, grid)) for name, output in outputs.items()
    ]
    return Hearing(tuple(outputs), Later(agreement(labels, look, num_classes)))
