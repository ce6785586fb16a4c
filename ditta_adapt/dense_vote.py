"""Labels by a dense vote of neighbouring frames, for teachers that can carry any map along."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.predictions import FrozenPrediction
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.propagator import DenseTransport
from ditta_adapt.reliability import probabilities_and_reliability
from ditta_adapt.targets import Targets
from ditta_adapt.transport import carry


def dense_targets(
    session: DenseTransport,
    logits: Callable[[int], Float[Tensor, "1 C H W"]],
    predictions: Sequence[FrozenPrediction],
    *,
    decay: float,
    progress: ProgressCallback,
) -> Targets:
    r"""Let every frame vote on every other one's labels, along the paths the teacher sees.

    .. math:: F_t = g\, carry_{t-1 \to t}(F_{t-1} + R_{t-1} p_{t-1}), \qquad
              B_t = g\, carry_{t+1 \to t}(B_{t+1} + R_{t+1} p_{t+1}), \qquad
              y_t = \arg\max_c (F_t + R_t p_t + B_t)

    Votes are class probabilities weighted by reliability; a vote dies where the teacher has no
    valid source, so what comes into view is labelled by the frames that see it.

    Args:
        session: carries maps between neighbouring frames.
        logits: of the frozen model on a frame, at frame size.
        predictions: the frozen model's labels of every frame.
        decay: `g` in [0, 1], how much a vote weighs one frame further on.
        progress: called once per frame and direction, as stage `"track"`.

    Returns:
        Targets without objects; with nothing to learn if no label differs from the model's own.

    Raises:
        PropagationError: the teacher raised, or returned maps that do not fit.
    """
    last, total = len(predictions) - 1, 2 * len(predictions)

    def own_vote(t: int) -> Tensor:
        # Normalised by ln C: votes of different frames must be comparable.
        probabilities, weight = probabilities_and_reliability(logits(t), normalizer="classes")
        return (probabilities * weight.unsqueeze(1))[0]

    def pass_on(votes: Tensor, t: int, to: int) -> Tensor:
        moved, _ = carry(session, votes, t, to)
        return decay * moved

    forward: list[_PackedVotes] = []
    votes: Tensor | float = 0.0
    for t in range(last + 1):
        own = own_vote(t)
        forward.append(_PackedVotes(own.new_zeros(own.shape) + votes))
        if t < last:
            votes = pass_on(votes + own, t, t + 1)
        progress(Progress("track", t + 1, total))

    labels: list[Tensor] = []
    votes = 0.0
    for t in range(last, -1, -1):
        own = own_vote(t)
        tally = forward[t].unpack().to(own) + own + votes
        most, winner = (x.cpu() for x in tally.max(dim=0))
        # Where nobody has a vote, the model's own label stands.
        labels.append(torch.where(most > 0, winner, predictions[t].labels.long()).to(torch.int16))
        if t > 0:
            votes = pass_on(votes + own, t, t - 1)
        progress(Progress("track", total - t, total))
    labels.reverse()

    changed = [
        float((new != frame.labels).float().mean())
        for new, frame in zip(labels, predictions, strict=True)
    ]
    share = sum(changed) / len(changed)
    source = f"a dense vote over {len(labels)} frames, which changed {share:.1%} of the labels"
    if share == 0:
        source = "the dense vote agrees with the model everywhere"
    return Targets(labels, [], {}, share > 0, source)


class _PackedVotes:
    """Votes in 8 bits a class and compressed: almost all of them are 0."""

    def __init__(self, votes: Float[Tensor, "C H W"]) -> None:
        self._scale = max(float(votes.max()), 1e-12) / 255
        self._shape = votes.shape
        quantised = (votes / self._scale).round().to(torch.uint8)
        self._data = zlib.compress(quantised.cpu().numpy().tobytes(), level=1)

    def unpack(self) -> Float[Tensor, "C H W"]:
        flat = np.frombuffer(zlib.decompress(self._data), dtype=np.uint8)
        return torch.from_numpy(flat.astype(np.float32)).view(self._shape) * self._scale
