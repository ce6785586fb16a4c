"""What a memory of a model's votes alone would say next, and what the model then says."""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.config import WarpedVotes
from ditta_adapt.ops.later import Later
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.teachers.warped_labels import warp_labels
from ditta_adapt.teachers.warped_votes import Warp


@dataclass(frozen=True, slots=True)
class Trial:
    """A memory of one model's votes alone, beside the one that speaks, while its length is tested.

    It hears of no second look: what a look has told would be held against the memory until the
    model says it, too.

    Attributes:
        votes: after the last frame.
        labels: the model's of that frame.
        adapted: whether that is the adapted model; else it is the image model.
        frames: that are remembered. The memory of one is that frame alone, so that it predicts
            nothing of its own.
        scores: agreement in [0, 1] of what was carried to the frame with its labels, first of the
            memory, then of the labels of the frame before; not read before the next frame. None if
            nothing was predicted.
    """

    votes: Float[Tensor, "C h w"]
    labels: Int64[Tensor, "h w"]
    adapted: bool
    frames: int = 1
    scores: Later | None = None

    @classmethod
    def begin(cls, logits: Float[Tensor, "1 C h w"], *, adapted: bool) -> "Trial":
        """A new one.

        Args:
            logits: of the model on the first frame.
            adapted: whether it is the adapted one.
        """
        return cls(soft_votes(logits), labels_of(logits), adapted)

    def next(
        self,
        warp: Warp,
        before: Float[Tensor, "3 h w"],
        frame: Float[Tensor, "3 h w"],
        options: WarpedVotes,
        logits: Float[Tensor, "1 C h w"],
    ) -> "Trial":
        """After one more frame.

        Args:
            warp: from the frame before to this one.
            before: colours of that, see `colours_on_grid`.
            frame: of this one.
            options: of the memory.
            logits: of the model on this frame.

        Raises:
            PropagationError: the propagator raised, or what it returned does not fit.
        """
        labels, num_classes = labels_of(logits), logits.shape[1]
        scores = None
        if self.frames > 1:
            predicted, known = zip(
                warp_labels(warp, self.votes.argmax(dim=0), num_classes),
                warp_labels(warp, self.labels, num_classes),
                strict=True,
            )
            where = known[0] & known[1]
            scores = Later(agreement(predicted, labels, num_classes, where=where))
        past, _ = past_votes(warp, self.votes, before, frame, options)
        votes = update_memory(past, soft_votes(logits))
        return Trial(votes, labels, self.adapted, self.frames + 1, scores)

    def differences(self) -> list[float]:
        """How much better than the last frame alone the memory predicted; waits for the device."""
        if self.scores is None:
            return []
        memory, alone = self.scores.read()
        return [memory - alone]
