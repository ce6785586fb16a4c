"""Stage D for one frame: from what is known on the feature grid to labels at frame size."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.fusion import fuse
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.reliability import Normalizer, probabilities_and_reliability


@dataclass(frozen=True, slots=True)
class FramePrediction:
    """What the video model says about one frame, at frame size, on the model's device.

    Attributes:
        labels: `(H, W)` int64, the most probable class.
        probabilities: `(C, H, W)` float32, sums to 1 over classes.
        reliability: `(H, W)` float32 in [0, 1], of the decoder's own prediction, before fusion.
    """

    labels: Int64[Tensor, "H W"]
    probabilities: Float[Tensor, "C H W"]
    reliability: Float[Tensor, "H W"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that speaks for the classes of one frame, on the decoder's grid.

    Attributes:
        size: `(H, W)` of the frame.
        logits: of the decoder.
        addon_logits: of the attention add-on, on the grid of the features, if there is one and a
            frame before.
        votes: of this frame and those before it, if votes are remembered; they take the place of
            the decoder's own prediction.
        normalizer: of the reliability.
        threshold: `tau` of Eq. 3, see `fuse`.
        image_model: logits of the image model alone, decoded when it is called, on the encoding
            that all share; to be called while the frame is at work. None while a warm-up is
            rehearsed.
    """

    size: tuple[int, int]
    logits: Float[Tensor, "1 C h w"]
    addon_logits: Float[Tensor, "1 C h2 w2"] | None
    votes: Float[Tensor, "C h w"] | None
    normalizer: Normalizer
    threshold: float
    image_model: Callable[[], Float[Tensor, "1 C h w"]] | None = None


def predict_labels(evidence: Evidence) -> Int64[Tensor, "H W"]:
    """`(H, W)` labels of a frame, without the cost of its probabilities where possible."""
    if evidence.addon_logits is not None:
        return predict_frame(evidence).labels
    scores = evidence.logits if evidence.votes is None else evidence.votes.unsqueeze(0)
    return labels_at(scores, evidence.size)


def labels_at(scores: Float[Tensor, "1 C h w"], size: tuple[int, int]) -> Int64[Tensor, "H W"]:
    """The class with the highest score, logits or votes, at every pixel of a frame's size."""
    return _most_probable(resize_logits(scores, size))


def predict_frame(evidence: Evidence) -> FramePrediction:
    """Resize, softmax, reliability, fuse (Eq. 2, 3)."""
    size, normalizer = evidence.size, evidence.normalizer
    resized = resize_logits(evidence.logits, size)
    probabilities, certainty = probabilities_and_reliability(resized, normalizer=normalizer)
    if evidence.votes is not None:
        counted = resize_logits(evidence.votes.unsqueeze(0), size)
        probabilities = counted / counted.sum(dim=1, keepdim=True)
    elif evidence.addon_logits is not None and evidence.threshold > 0:
        second, second_certainty = probabilities_and_reliability(
            resize_logits(evidence.addon_logits, size), normalizer=normalizer
        )
        probabilities = fuse(
            probabilities, second, certainty, second_certainty, threshold=evidence.threshold
        )
    return FramePrediction(
        labels=_most_probable(probabilities),
        probabilities=probabilities[0],
        reliability=certainty[0],
    )


def _most_probable(scores: Float[Tensor, "1 C H W"]) -> Int64[Tensor, "H W"]:
    # Several times faster than argmax on a CPU.
    labels: Tensor = scores.max(dim=1).indices[0]
    return labels
