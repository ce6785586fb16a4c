"""An image model that reads its prediction off the frame, so that tests can say what it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import SegmenterOutput

NUM_CLASSES = 4


def painted(labels: Any, confidence: Any = 0.9) -> np.ndarray:
    """A frame on which `PaintedSegmenter` predicts these labels with this confidence."""
    classes = np.asarray(labels, dtype=np.uint8)
    sure = np.broadcast_to(np.asarray(confidence), classes.shape)
    return np.stack(
        [classes, np.round(sure * 255).astype(np.uint8), np.zeros_like(classes)], axis=2
    )


class PaintedSegmenter:
    """Red is the class, green its probability; features are the class, one-hot, and a one."""

    num_classes, feature_dim = NUM_CLASSES, NUM_CLASSES + 1

    def __init__(self) -> None:
        self.head = nn.Linear(1, 1)

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float()

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        one_hot = F.one_hot(encoded[:, 0].long(), NUM_CLASSES).permute(0, 3, 1, 2).float()
        sure = (encoded[:, 1:2] / 255).clamp(0.3, 1 - 1e-6)
        probabilities = one_hot * sure + (1 - one_hot) * (1 - sure) / (NUM_CLASSES - 1)
        features = torch.cat([one_hot, torch.ones_like(sure)], dim=1)
        return SegmenterOutput(features=features, logits=probabilities.log())

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"head": self.head}


def maps(labels: Sequence[Tensor]) -> list[list[list[int]]]:
    """Label maps as plain lists."""
    return [frame.tolist() for frame in labels]
