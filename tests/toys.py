"""A small segmenter, a small video and small teachers, for tests of everything around them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, Frame, Masks, MaskVote, Prompt, SegmenterOutput

NUM_CLASSES, FEATURES = 4, 6


class ToyNet(nn.Module):
    """Strided encoder, decoder with batch norm and dropout: everything a copy must keep apart."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
            self.decoder = nn.Sequential(
                nn.Conv2d(8, FEATURES, 3, 1, 1),
                nn.BatchNorm2d(FEATURES),
                nn.ReLU(),
                nn.Dropout(0.1),
                nn.Conv2d(FEATURES, NUM_CLASSES, 1),
            )
            # Confident in places, so that prompts are found.
            with torch.no_grad():
                self.decoder[-1].weight.mul_(20)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images))


class ToySegmenter:
    """The hand-written adapter of `ToyNet`."""

    num_classes, feature_dim = NUM_CLASSES, FEATURES

    def __init__(self, model: ToyNet) -> None:
        self.model = model
        self.encoded_frames = 0

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 127.5 - 1

    def encode(self, images: Tensor) -> Tensor:
        self.encoded_frames += images.shape[0]
        return self.model.encoder(images)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        features = self.model.decoder[:3](encoded)
        return SegmenterOutput(features=features, logits=self.model.decoder[3:](features))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"decoder": self.model.decoder}


def toy_segmenter(seed: int = 0) -> ToySegmenter:
    return ToySegmenter(ToyNet(seed).eval())


def toy_video(num_frames: int, size: tuple[int, int] = (37, 50), seed: int = 0) -> list[np.ndarray]:
    """A smooth random texture that moves a pixel or two a frame."""
    height, width = size
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 8, 8, generator=generator)
    big = F.interpolate(
        small, (height + 2 * num_frames, width + 2 * num_frames), mode="bicubic"
    ).clamp(0, 1)
    texture = (255 * big[0].permute(1, 2, 0)).byte().numpy()
    return [texture[t : t + height, 2 * t : 2 * t + width].copy() for t in range(num_frames)]


def prompting(config: AdaptConfig, threshold: float) -> AdaptConfig:
    """The configuration with masks, if it may have them, prompted from this reliability on."""
    options = MaskVote() if config.targets == "auto" else config.targets
    if not isinstance(options, MaskVote):
        return config
    return replace(config, targets=replace(options, prompt_threshold=threshold))


class StillPropagator:
    """A teacher for videos in which nothing moves: masks stay where they were prompted."""

    def __init__(self) -> None:
        self.sessions: list[StillSession] = []

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["StillSession"]:
        session = StillSession(frames)
        self.sessions.append(session)
        yield session


class StillSession:
    """Keeps a log of its calls."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.calls: list[tuple[str, int, object]] = []
        self._ids: list[int] = []
        self._masks = torch.zeros(0, *frames[0].shape[:2], dtype=torch.bool, device="cpu")

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        self.calls.append(("prompt", t, [prompt.object_id for prompt in prompts]))
        self._ids += [prompt.object_id for prompt in prompts]
        self._masks = torch.cat([self._masks, *(prompt.region[None] for prompt in prompts)])
        return self._current()

    def propagate(self, t: int, to: int) -> Masks:
        self.calls.append(("propagate", t, to))
        return self._current()

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._ids, dtype=torch.int64, device="cpu"), self._masks.clone())
