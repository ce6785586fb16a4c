"""The end of the warm-up, streamed once more: what is remembered, and how it would have been."""

from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.config import WarpedVotes
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.training.student import Student

# Votes of the last frames count in the first streamed one; those of older ones would hardly.
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of the last frames of the warm-up.

    Attributes:
        votes: after the last of them.
        consistencies: mean photometric consistency of every frame but the first.
        opinions: of second looks, on every frame but the first; see `Judge`.
    """

    votes: Float[Tensor, "C h w"]
    consistencies: list[float]
    opinions: list[float]


def rehearse(
    student: Student,
    warm_up: WarmUp,
    session: DenseWarper,
    options: WarpedVotes,
) -> Rehearsal:
    """Remember the last eight frames of the warm-up.

    Where there are second looks, each first judges what would have been said of its frame, and then
    its votes are remembered, too.

    Args:
        student: whose votes are remembered, and judged.
        warm_up: the frames.
        session: of the propagator on the warm-up.
        options: of the memory.

    Raises:
        PropagationError: the propagator raised, or broke its contract, while it warped votes.
    """
    frames = warm_up.frames
    votes: Tensor | None = None
    consistencies: list[float] = []
    opinions: list[float] = []
    for t in range(max(len(frames) - _REMEMBERED, 0), len(frames)):
        past = None
        if votes is not None:
            warp = partial(warp_maps, session, t=t - 1, to=t)
            past, fit = past_votes(warp, votes, frames[t - 1], frames[t], options)
            consistencies.append(fit)
        votes = update_memory(past, soft_votes(student.decode(warm_up.encodings[t]).logits))
        if warm_up.looks is None:
            continue
        look = warm_up.looks[t]
        if past is not None:
            opinions.append(opinion(votes, warm_up.grid_logits(t), look))
        votes = votes + warm_up.looks.sizes * soft_votes(look)
    assert votes is not None
    return Rehearsal(votes, consistencies, opinions)


def opinion(
    votes: Float[Tensor, "C h w"], plain: Float[Tensor, "1 C h w"], look: Float[Tensor, "1 C h w"]
) -> float:
    """How much better votes agree with a look than the plain prediction does."""
    labels = [labels_of(votes.unsqueeze(0)), labels_of(plain)]
    candidate, image_model = agreement(labels, labels_of(look), look.shape[1]).tolist()
    return float(candidate - image_model)
