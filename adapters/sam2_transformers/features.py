"""Image features of a video, by a SAM2-like video model of transformers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.adapters._sam2_input import frame_count, square_image
from ditta_adapt.teachers import SharedVideo


class FrameFeatures(SharedVideo):
    """Image features by frame, and the model that reads them.

    Args:
        frames: `(H, W, 3)` uint8 each.
        model: a `Sam2VideoModel` or `EdgeTamVideoModel` in eval mode.
        dtype: what to autocast to, `torch.float32` for not at all; by default bfloat16 on CUDA.
    """

    def __init__(self, frames: Sequence[Frame], model: Any, dtype: torch.dtype | None) -> None:
        super().__init__(frames)
        self.model = model
        default = torch.bfloat16 if model.device.type == "cuda" else torch.float32
        self._dtype = dtype or default
        self._kept: dict[int, list[Tensor]] = {}
        self._position: list[Tensor] = []

    def at(self, t: int) -> list[Tensor]:
        """Features of frame `t`, finest level first: `(h * w, 1, D)` each."""
        if t not in self._kept:
            config = self.model.config
            image = square_image(self.frame(t).to(self.model.device), config.image_size)
            with torch.no_grad(), self.autocast():
                output = self.model.get_image_features(image.to(self.model.dtype), return_dict=True)
            if self.sessions < 2:
                # A single session will not come back to a frame it has left.
                self._kept.clear()
            oldest = self.oldest
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            self._kept[t] = list(output.fpn_hidden_states)
            # The same for all frames, and of all levels the model reads the last.
            self._position = self._position or [output.fpn_position_encoding[-1]]
        return self._kept[t]

    def give_to(self, run: Any, t: int, count: int = 1) -> None:
        """Put features of frame `t` where an inference session of transformers looks for them.

        Args:
            run: the inference session.
            t: the frame.
            count: of the objects that are one batch in it.
        """
        features = [level.expand(-1, count, -1) for level in self.at(t)]
        position = [level.expand(-1, count, -1) for level in self._position]
        # It is handed features, never pixels; but the model counts its frames.
        count = frame_count(self, self.model.config.max_object_pointers_in_encoder)
        run.processed_frames = range(count)
        run.cache.cache_vision_features(
            t, {"vision_feats": features, "vision_pos_embeds": position}
        )

    def autocast(self) -> torch.autocast:
        """The precision that the model runs in."""
        enabled = self._dtype != torch.float32
        return torch.autocast(self.model.device.type, self._dtype if enabled else None, enabled)
