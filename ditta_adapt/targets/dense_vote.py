"""Labels by a dense vote of neighbouring frames, for propagators that can warp any map."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import DenseVote
from ditta_adapt.ops.packed_votes import PackedVotes
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.ops.vote_margin import vote_margin
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.targets.targets import Targets
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.teachers.warped_votes import warp_votes


def dense_vote(
    session: DenseWarper,
    logits: Callable[[int], Float[Tensor, "1 C h w"]],
    frames: Sequence[UInt8[Tensor, "3 H W"]],
    options: DenseVote,
    progress: ProgressCallback,
    *,
    plain: Callable[[int], Float[Tensor, "1 C h w"]] | None = None,
) -> Targets:
    r"""Let every frame vote on every other one's labels, along the paths the propagator sees.

    .. math:: F_t = g\, w\, warp_{t-1 \to t}(F_{t-1} + R_{t-1} p_{t-1}), \qquad
              B_t = g\, w\, warp_{t+1 \to t}(B_{t+1} + R_{t+1} p_{t+1}), \qquad
              V_t = F_t + R_t p_t + B_t

    Votes are class probabilities weighted by reliability; a vote dies where the propagator has no
    valid source or colours do not fit (`w`, see `photometric_consistency`), so what comes into view
    is labelled by the frames that see it, and another scene has no say. The label is the class with
    most votes, trusted as far as it won clearly, see `vote_margin`: where frames disagree on what
    an object is, the student stays with the frozen model's own distribution.

    Args:
        session: warps maps between neighbouring frames.
        logits: that a frame votes with, on the grid of the decoder: of the frozen model, or of its
            second look.
        frames: the warm-up.
        options: `g` is their decay; `w` has their tolerance.
        progress: called once per frame and direction, as stage `"track"`.
        plain: logits of the frozen model on a frame, if it votes with others.

    Returns:
        Targets on the grid of the logits, with confidence and without objects; with nothing to
        learn if no label differs from the model's own.

    Raises:
        PropagationError: the propagator raised, or returned maps that do not fit.
    """
    last, total = len(frames) - 1, 2 * len(frames)
    colours: dict[int, Tensor] = {}

    def pass_on(votes: Tensor, t: int, to: int) -> Tensor:
        grid = (votes.shape[1], votes.shape[2])
        for s in (t, to):
            if s not in colours:
                colours[s] = colours_on_grid(frames[s].to(votes.device), grid)
        warped, _ = warp_votes(
            partial(warp_maps, session, t=t, to=to),
            votes,
            colours[t],
            colours[to],
            decay=options.decay,
            tolerance=options.tolerance,
        )
        return warped

    forward: list[PackedVotes] = []
    votes: Tensor | float = 0.0
    for t in range(last + 1):
        own = soft_votes(logits(t))
        forward.append(PackedVotes(own.new_zeros(own.shape) + votes))
        if t < last:
            votes = pass_on(votes + own, t, t + 1)
        progress(Progress("track", t + 1, total))

    labels: list[Tensor] = []
    confidence: list[Tensor] = []
    changed: list[float] = []
    votes = 0.0
    for t in range(last, -1, -1):
        own = soft_votes(logits(t))
        model_labels = (plain or logits)(t)[0].argmax(dim=0)
        tally = forward[t].unpack().to(own) + own + votes
        label = tally.argmax(dim=0)
        labels.append(label.to("cpu", torch.int16))
        confidence.append(vote_margin(tally).cpu())
        changed.append(float((label != model_labels).float().mean()))
        if t > 0:
            votes = pass_on(votes + own, t, t - 1)
        progress(Progress("track", total - t, total))

    share = sum(changed) / len(changed)
    source = f"a dense vote over {len(frames)} frames, which changed {share:.1%} of the labels"
    if share == 0:
        source = "the dense vote agrees with the model everywhere"
    return Targets(labels[::-1], [], {}, share > 0, source, confidence[::-1])
