"""While a video streams: do the adapted weights still belong to what is seen?"""

from dataclasses import dataclass, replace

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig, Checks, WarpedVotes
from ditta_adapt.safety.guarded_training import Trained

# Neighbours of 17 videos, of every third frame, share at least 0.806 of their colours, on grids of
# 30 x 54 cells and finer; frames of two different ones at most 0.747 (1224 pairs).
_SHARED = 0.8


@dataclass(frozen=True, slots=True)
class DriftMonitor:
    """What is known of the drift away from the warm-up; a new one after every frame.

    Colours are looked at before a frame is decoded, so a cut chooses the weights of that frame.
    A second opinion, by both weights, acts from the next frame on.

    Attributes:
        checks: when to act.
        limit: share of what the pre-trained model is sure of that the adapted one may change.
        usual: mean photometric consistency in the warm-up; noise lowers it everywhere.
        frames: seen so far.
        left: the last frame of the scene that was left at a cut; none while that scene is seen.
        cut: whether the frame last seen shows another scene than the one before it.
        collapsed: whether the last second opinion found more changed than the limit.
    """

    checks: Checks
    limit: float
    usual: float = 1.0
    frames: int = 0
    left: UInt8[Tensor, "3 H W"] | None = None
    cut: bool = False
    collapsed: bool = False

    @property
    def alarm(self) -> str | None:
        """Why pre-trained weights are used, in plain words; none while adapted ones are."""
        if self.left is not None:
            return "another scene than the one that was adapted to"
        if self.collapsed:
            return "the adapted weights change more than they should"
        return None

    @property
    def wants_second_opinion(self) -> bool:
        """Whether the frame last seen is due for a second opinion."""
        return (self.frames - 1) % self.checks.second_opinion_every == 0

    def after(
        self,
        before: UInt8[Tensor, "3 H W"] | None,
        consistency: float,
        shared: float = 0.0,
        likeness: float = 0.0,
    ) -> "DriftMonitor":
        """What is known once the colours of one more frame are seen.

        A cut is where colours that are warped along the video no longer fit, and the frames have
        other colours altogether: of things that move too fast to be matched only the first holds.
        The scene is back when a frame looks like the last one before the first cut.

        Args:
            before: the frame before; none at the start of a stream, which is no cut.
            consistency: mean photometric consistency of what was warped from one to the other.
            shared: share of their colours that both frames have, see `shared_colours`.
            likeness: mean photometric consistency of this frame with `left` as it stands, see
                `photometric_consistency_at_rest`; read only where a scene was left.
        """
        left, least = self.left, self.checks.cut * self.usual
        cut = before is not None and consistency < least and shared < _SHARED
        if left is None:
            left = before if cut else None
        elif likeness >= least:
            left, cut = None, True
        return replace(self, frames=self.frames + 1, left=left, cut=cut)

    def with_second_opinion(self, change: float) -> "DriftMonitor":
        """What is known once both weights spoke; `change` is the share they say otherwise."""
        return replace(self, collapsed=change > self.limit)


def monitor_of(trained: Trained, config: AdaptConfig) -> DriftMonitor | None:
    """The monitor of what was trained; none where nothing is checked.

    Where nothing was trained there is one only for the sake of what is remembered, and of second
    looks, which start anew in another scene.

    The adapted model may change `drift_factor` times the temporal inconsistency of the warm-up, at
    least `least_drift`, see `Checks`.
    """
    verdict, checks = trained.verdict, config.safety
    if not isinstance(checks, Checks):
        return None
    if not trained.adapted or verdict is None:
        starts_anew = config.look is not None or isinstance(config.memory, WarpedVotes)
        return DriftMonitor(checks, checks.least_drift) if starts_anew else None
    limit = checks.drift_factor * verdict.temporal_inconsistency
    return DriftMonitor(checks, max(checks.least_drift, limit))
