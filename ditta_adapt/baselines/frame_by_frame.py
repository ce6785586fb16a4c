"""What methods share that answer each frame on its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ditta_adapt.io.frames import (
    Frame,
    check_stream_size,
    frame_size,
    frame_to_tensor,
    frames_to_tensors,
)
from ditta_adapt.models.caller_state import own_gradient_mode, seeded
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.private_copy import frozen_copy
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback, check_progress, silent

Answer: TypeAlias = Callable[[Tensor], Tensor]
"""From a frame `(3, H, W)` uint8 to scores `(1, C, H, W)`, whose largest is the label."""


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """The logits of one image model, at frame size.

    Attributes:
        segmenter: a private copy.
    """

    segmenter: Segmenter

    def __call__(self, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "1 C H W"]:
        """Logits of a frame, without gradients.

        Raises:
            SegmenterError: the model's output breaks its contract.
        """
        return frame_logits(self.segmenter, frame)


class FrameByFrame(ABC):
    """The three verbs of `Method` around an answer that needs no frame but its own.

    A subclass says what answers after adaptation; its `__init__` ends with `reset()`.

    Args:
        model: a model of a known type, or any `Segmenter`.
        seed: of everything random.

    Attributes:
        segmenter: the image model as given; read, never written.
    """

    _answer: Answer
    _size: tuple[int, int] | None

    def __init__(self, model: Any, *, seed: int = 0) -> None:
        self.segmenter: Segmenter = find_segmenter(model)
        self._seed = seed

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> list[float]:
        """Adapt to the first frames of a video; see `Method`.

        Returns:
            The loss of every step.
        """
        check_progress(progress)
        tensors = frames_to_tensors(frames)
        with own_gradient_mode(), seeded(self._seed, device_of(self.segmenter)):
            answer, losses = self._adapted(tensors, progress)
        self._answer, self._size = answer, frame_size(tensors[0])
        return losses

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame: `(H, W)` int64 on the model's device; see `Method`."""
        tensor = frame_to_tensor(frame)
        check_stream_size(tensor, self._size)
        with torch.no_grad():
            labels: Tensor = self._answer(tensor).max(dim=1).indices[0]
        self._size = frame_size(tensor)
        return labels

    def clear_memory(self) -> None:
        """Forget the stream, and keep what was adapted."""
        self._size = None

    def reset(self) -> None:
        """Next video: the image model as it is, empty memory."""
        with own_gradient_mode():
            self._answer = self._pretrained()
        self._size = None

    def _pretrained(self) -> Answer:
        """What answers before anything is adapted."""
        return ImageAnswer(frozen_copy(self.segmenter))

    @abstractmethod
    def _adapted(
        self, frames: list[Tensor], progress: ProgressCallback
    ) -> tuple[Answer, list[float]]:
        """What answers after adapting to frames `(3, H, W)` uint8, and the loss of every step."""
