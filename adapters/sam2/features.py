"""Image features of a video, as the `sam2` package caches them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.adapters._sam2_input import frame_count, square_image
from ditta_adapt.teachers import SharedVideo


class ImageFeatures(SharedVideo):
    """Image features by frame, and the predictor that reads them.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        predictor: a `SAM2VideoPredictor`.
        limit: how many frames' features to keep; the oldest go first.
    """

    def __init__(self, frames: Sequence[Frame], predictor: Any, limit: int) -> None:
        super().__init__(frames)
        self.predictor = predictor
        self._limit = limit
        self._kept: dict[int, tuple[Tensor, dict[str, list[Tensor]]]] = {}
        self._positions: list[Tensor] | None = None

    def __getitem__(self, t: int) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Features of frame `t`, as the package caches them; call it within `inference`."""
        if t not in self._kept:
            frame = self.frame(t).to(self.predictor.device)
            image = square_image(frame, self.predictor.image_size)
            output = self.predictor.forward_image(image)
            # Positional encodings are five times as large, and the same for all frames.
            self._positions = self._positions or output["vision_pos_enc"]
            kept = {"backbone_fpn": output["backbone_fpn"], "vision_pos_enc": self._positions}
            # Of the image itself the package only wants the four axes.
            self._kept[t] = (torch.empty(1, 0, 0, 0), kept)
            oldest = self.oldest
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            if len(self._kept) > self._limit:
                del self._kept[next(iter(self._kept))]
        return self._kept[t]

    @property
    def count(self) -> int:
        """How many frames the package is told there are."""
        return frame_count(self, self.predictor.max_obj_ptrs_in_encoder)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients; bfloat16 on CUDA, where SAM 2 is meant to run with it."""
        kind = self.predictor.device.type
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            yield
