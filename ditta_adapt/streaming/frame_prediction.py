"""Stage D for one frame: from logits on the feature grid to labels at frame size."""

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


def predict_frame(
    logits: Float[Tensor, "1 C h w"],
    addon_logits: Float[Tensor, "1 C h w"] | None,
    votes: Float[Tensor, "C h w"] | None,
    size: tuple[int, int],
    *,
    normalizer: Normalizer,
    threshold: float,
) -> FramePrediction:
    """Resize, softmax, reliability, fuse (Eq. 2, 3).

    Args:
        logits: of the decoder.
        addon_logits: of the add-on; none on the first frame of a stream.
        votes: of this frame and those before it, where the teacher carries them along; they take
            the place of the decoder's own prediction, see `update_memory`.
        size: `(H, W)` of the frame.
        normalizer: see `reliability`.
        threshold: see `fuse`.
    """
    resized = resize_logits(logits, size)
    probabilities, certainty = probabilities_and_reliability(resized, normalizer=normalizer)
    if votes is not None:
        counted = resize_logits(votes.unsqueeze(0), size)
        probabilities = counted / counted.sum(dim=1, keepdim=True)
    elif addon_logits is not None and threshold > 0:
        second, second_certainty = probabilities_and_reliability(
            resize_logits(addon_logits, size), normalizer=normalizer
        )
        probabilities = fuse(
            probabilities, second, certainty, second_certainty, threshold=threshold
        )
    return FramePrediction(
        # Several times faster than argmax on a CPU.
        labels=probabilities.max(dim=1).indices[0],
        probabilities=probabilities[0],
        reliability=certainty[0],
    )
