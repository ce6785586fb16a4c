"""Labels of many frames, and whether two lists of them are equal."""

import numpy as np
import torch
from torch import Tensor

from ditta_adapt import VideoSegmenter


def labels_of(model: VideoSegmenter, frames: list[np.ndarray]) -> list[Tensor]:
    return [model(frame) for frame in frames]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
