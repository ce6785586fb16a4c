"""Stage A: what the frozen image model says about every warm-up frame."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from ditta_adapt.encodings import EncodingCache
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.reliability import Normalizer, reliability
from ditta_adapt.segmenter import Segmenter, check_output


@dataclass(frozen=True, slots=True)
class FrozenPrediction:
    """Labels and reliability of one frame, at frame size, on the CPU.

    Attributes:
        labels: `(H, W)` integers in `[0, C)`, in the smallest dtype that holds them.
        reliability: `(H, W)` float32 in [0, 1].
    """

    labels: Integer[Tensor, "H W"]
    reliability: Float[Tensor, "H W"]


def resize_logits(
    logits: Float[Tensor, "B C h w"], size: tuple[int, int]
) -> Float[Tensor, "B C H W"]:
    """Logits at frame size `(H, W)`: bilinear, `align_corners=False`, float32."""
    return F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)


def predict_frozen(
    segmenter: Segmenter,
    encodings: EncodingCache,
    size: tuple[int, int],
    normalizer: Normalizer,
    progress: ProgressCallback,
) -> list[FrozenPrediction]:
    """Predict every warm-up frame with the model as it is.

    Raises:
        SegmenterError: the model's output breaks its contract, such as NaN in the logits.
    """
    num_classes, feature_dim = segmenter.num_classes, segmenter.feature_dim
    dtype = torch.uint8 if num_classes <= 256 else torch.int16
    predictions: list[FrozenPrediction] = []
    for t in range(len(encodings)):
        with torch.no_grad():
            output = segmenter.decode(encodings[t])
            check_output(output, num_classes, feature_dim)
            logits = resize_logits(output.logits, size)
            certainty = reliability(logits, normalizer=normalizer)
        labels = logits.max(dim=1).indices
        predictions.append(FrozenPrediction(labels[0].to("cpu", dtype), certainty[0].cpu()))
        progress(Progress("predict", t + 1, len(encodings)))
    return predictions
