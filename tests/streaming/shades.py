"""Shaded videos, a network that flickers on them, and models of it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, Checks, SegmenterOutput, VideoSegmenter, WarpedVotes, wrap
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.state import StreamState
from tests.baselines.shift_propagator import ShiftPropagator

# Colours never stop a vote, nor a propagator, so that what is warped wrongly counts.
CONFIG = AdaptConfig(
    targets=None,
    look=None,
    memory=WarpedVotes(decay=0.8, tolerance=1e6),
    safety=Checks(warp_margin=1.0),
)
ENDLESS = replace(CONFIG, memory=WarpedVotes(decay=1.0, tolerance=1e6))
"""Of a memory that cannot be made shorter."""


class Shades:
    """Two classes, dark and bright; with noise, unsure of every pixel in every frame anew."""

    num_classes, feature_dim = 2, 1

    def __init__(self, noise: float = 0.0) -> None:
        self.head, self.noise = nn.Conv2d(1, 2, 1), noise
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([-8.0, 8.0]).view(2, 1, 1, 1))
            self.head.bias.copy_(torch.tensor([4.0, -4.0]))

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 255

    def encode(self, images: Tensor) -> Tensor:
        # Of the frame alone, so that it says the same of it every time.
        generator = torch.Generator().manual_seed(int(images.sum() * 1000) % 2**31)
        grey = images.mean(dim=1, keepdim=True)
        return grey + self.noise * torch.randn(grey.shape, generator=generator)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return SegmenterOutput(features=encoded, logits=self.head(encoded))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"head": self.head}


def video(length: int, seed: int = 0) -> list[np.ndarray]:
    """Blocks that go a column to the right in every frame, each frame a grey level brighter."""
    random = np.random.default_rng(seed)
    blocks = np.kron(random.integers(0, 2, (6, 10)), np.ones((4, 6), int))
    frames = [np.roll(60 + 120 * blocks, t, axis=1) + t for t in range(length)]
    return [np.repeat(frame[..., None], 3, axis=2).astype(np.uint8) for frame in frames]


FRAMES = video(24)


def model_of(noise: float, step: int, config: AdaptConfig = CONFIG) -> VideoSegmenter:
    return wrap(Shades(noise), propagator=ShiftPropagator(step), config=config)


def state_of(model: VideoSegmenter) -> StreamState:
    assert model.state is not None
    return model.state


def length(model: VideoSegmenter) -> MemoryLength:
    found = state_of(model).remembering
    assert found is not None
    return found


def after(model: VideoSegmenter, frames: list[np.ndarray]) -> MemoryLength:
    for frame in frames:
        model(frame)
    return length(model)
