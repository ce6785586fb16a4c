"""Stage A: what the frozen image model says about every warm-up frame."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.reliability import Normalizer, reliability


@dataclass(frozen=True, slots=True)
class FrozenPrediction:
    """Labels and reliability of one frame, at frame size, on the CPU.

    Attributes:
        labels: `(H, W)` integers in `[0, C)`, in the smallest dtype that holds them.
        reliability: `(H, W)` float32 in [0, 1].
    """

    labels: Integer[Tensor, "H W"]
    reliability: Float[Tensor, "H W"]


def predict_frozen(
    logits: Callable[[int], Float[Tensor, "1 C h w"]],
    num_frames: int,
    size: tuple[int, int],
    normalizer: Normalizer,
) -> list[FrozenPrediction]:
    """Labels and reliability of every warm-up frame, at frame size.

    Args:
        logits: of the frozen model on a frame, on its grid.
        num_frames: of the warm-up.
        size: `(H, W)` of the frames.
        normalizer: see `reliability`.
    """
    predictions: list[FrozenPrediction] = []
    for t in range(num_frames):
        with torch.no_grad():
            resized = resize_logits(logits(t), size)
            certainty = reliability(resized, normalizer=normalizer)
        labels = resized.max(dim=1).indices
        dtype = torch.uint8 if resized.shape[1] <= 256 else torch.int16
        predictions.append(FrozenPrediction(labels[0].to("cpu", dtype), certainty[0].cpu()))
    return predictions
