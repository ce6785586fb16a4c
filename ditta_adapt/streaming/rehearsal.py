"""The end of the warm-up, streamed once more: what is remembered, and how it would have been."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon, WarpedVotes
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.safety.judge import Speaker
from ditta_adapt.streaming.candidates import Candidates
from ditta_adapt.streaming.carried import Said, carry
from ditta_adapt.streaming.hearing import Hearing, hear
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.streaming.prediction import predict_labels
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.training.student import Student

REMEMBERED = 8
"""Frames whose votes count in the first streamed one; those of older ones would hardly."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of the last frames of the warm-up.

    Attributes:
        output: of the last of them.
        votes: after it, where votes are remembered.
        colours: of its frame, on the grid of the votes, likewise.
        consistencies: mean photometric consistency of every frame but the first, likewise.
        opinions: of second looks, on every frame but the first; see `Judge`.
    """

    output: SegmenterOutput
    votes: Float[Tensor, "C h w"] | None
    colours: Float[Tensor, "3 h w"] | None
    consistencies: list[float]
    opinions: list[float]


@torch.no_grad()
def rehearse(
    speaker: Speaker,
    student: Student,
    warm_up: WarmUp,
    config: AdaptConfig,
    memory: WarpedVotes | AttentionAddon | None,
    session: DenseWarper | None,
    *,
    judged: bool,
) -> Rehearsal:
    """Stream the last frames of the warm-up, as one candidate would have.

    Where there are second looks they either judge what would have been said of their frames, or are
    remembered. A candidate that remembered them would agree with those that judge it for having
    heard them, and of a stream's frames few are looked at. What was trained was trained on these
    looks, so it is found a little better than it is; what learned something else is found out.

    Args:
        speaker: the candidate.
        student: that decodes for it.
        warm_up: the frames; of more than eight, the last eight.
        config: of the adaptation.
        memory: what is remembered.
        session: of the propagator on the warm-up; needed where votes are remembered.
        judged: whether looks judge it, else they are remembered.

    Raises:
        PropagationError: the propagator raised, or broke its contract, while it warped votes.
    """
    frames, looks = warm_up.frames, warm_up.looks
    num_classes = warm_up.segmenter.num_classes
    options = memory if isinstance(memory, WarpedVotes) else None
    shown = 1 if options is None and looks is None else REMEMBERED
    first = max(len(frames) - shown, 0)
    output: SegmenterOutput | None = None
    votes: Tensor | None = None
    colours: Tensor | None = None
    consistencies: list[Tensor] = []
    hearings: list[Hearing] = []
    said: Said | None = None
    for t in range(first, len(frames)):
        past, carried, before, seen_before = None, None, output, colours
        output = student.decode(warm_up.encodings[t])
        if options is not None:
            grid, device = output.logits.shape[2:], output.logits.device
            colours = colours_on_grid(frames[t].to(device), (grid[0], grid[1]))
        if options is not None and votes is not None and seen_before is not None:
            assert session is not None
            assert colours is not None
            warp = partial(warp_maps, session, t=t - 1, to=t)
            past, fit = past_votes(warp, votes, seen_before, colours, options)
            consistencies.append(fit)
            carried = None if said is None else carry(said, warp, num_classes)
        if looks is not None and judged:
            candidates = Candidates(config, memory, student.addon, past, before, fuse=True)
            evidence = candidates.evidence(speaker, output, warm_up.grid)
            plain = labels_of(warm_up.grid_logits(t))
            now: Said = {"image model": plain, speaker: predict_labels(evidence)}
            if t > first:
                hearings.append(hear(now, looks.labels(t).long(), num_classes, carried))
            said = now
        if options is not None:
            votes = update_memory(past, soft_votes(output.logits))
            if looks is not None and not judged:
                votes = votes + looks.votes(t)
    assert output is not None
    fits = torch.stack(consistencies).tolist() if consistencies else []
    opinions = [hearing.opinions()[speaker] for hearing in hearings]
    return Rehearsal(output, votes, colours, fits, opinions)
