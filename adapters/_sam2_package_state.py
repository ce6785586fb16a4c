"""What sessions of the `sam2` package work on: image features of arrays, and their own state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ditta_adapt import Frame, InputError, LiveFrames
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.teachers.live_frames import oldest_kept

# Of ImageNet: what SAM 2 was trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageFeatures:
    """Image features by frame, computed once for all sessions that are open on the same frames.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        predictor: a `SAM2VideoPredictor`.
        limit: how many frames' features to keep; the oldest go first.
    """

    def __init__(self, frames: Sequence[Frame], predictor: Any, limit: int) -> None:
        if not len(frames):
            raise InputError("no frames: a session needs at least one frame of the video.")
        self.frames = frames
        height, width = frames[oldest_kept(frames)].shape[:2]
        self.size: tuple[int, int] = (int(height), int(width))
        self.predictor = predictor
        self._limit = limit
        self._kept: dict[int, tuple[Tensor, dict[str, list[Tensor]]]] = {}
        self._positions: list[Tensor] | None = None

    def __getitem__(self, t: int) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Features of frame `t`, as the package caches them; call it within `inference`."""
        if t not in self._kept:
            output = self.predictor.forward_image(self._image(t))
            # Positional encodings are five times as large, and the same for all frames.
            self._positions = self._positions or output["vision_pos_enc"]
            kept = {"backbone_fpn": output["backbone_fpn"], "vision_pos_enc": self._positions}
            # Of the image itself the package only wants the four axes.
            self._kept[t] = (torch.empty(1, 0, 0, 0), kept)
            oldest = oldest_kept(self.frames)
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            if len(self._kept) > self._limit:
                del self._kept[next(iter(self._kept))]
        return self._kept[t]

    @property
    def count(self) -> int:
        """How many frames the package is told there are.

        It scales the age of its memories to the video's length, up to the number of pointers it
        looks at. A live video counts as long from the start, or its first masks would depend on
        how far it had come.
        """
        live = isinstance(self.frames, LiveFrames)
        least: int = self.predictor.max_obj_ptrs_in_encoder if live else 0
        return max(len(self.frames), least)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients; bfloat16 on CUDA, where SAM 2 is meant to run with it."""
        kind = self.predictor.device.type
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            yield

    def _image(self, t: int) -> Float[Tensor, "1 3 S S"]:
        frame = frame_to_tensor(self.frames[t], name=f"frame {t}")
        image = frame.to(self.predictor.device) / 255
        size = (self.predictor.image_size, self.predictor.image_size)
        image = F.interpolate(image.unsqueeze(0), size, mode="bilinear", antialias=True)
        return (image - image.new_tensor(MEAN).view(3, 1, 1)) / image.new_tensor(STD).view(3, 1, 1)


def new_state(features: ImageFeatures) -> dict[str, Any]:
    """What the package's own `init_state` makes of a file or a folder, without the images."""
    height, width = features.size
    return {
        "num_frames": features.count,
        "video_height": height,
        "video_width": width,
        "device": features.predictor.device,
        "storage_device": features.predictor.device,
        "cached_features": {},
        "constants": {},
        "obj_ids": [],
        "obj_id_to_idx": {},
        "obj_idx_to_id": {},
        "point_inputs_per_obj": {},
        "mask_inputs_per_obj": {},
        "output_dict_per_obj": {},
        "temp_output_dict_per_obj": {},
        "frames_tracked_per_obj": {},
    }


def track(
    predictor: Any, state: dict[str, Any], outputs: dict[str, Any], t: int, to: int
) -> Float[Tensor, "1 1 h w"]:
    """Logits on frame `to` of the one object with these `outputs`, coming from its neighbour `t`.

    Drops the object's outputs that are too far from `to` to be looked at again.
    """
    logits: Tensor
    if to in outputs["cond_frame_outputs"]:
        logits = outputs["cond_frame_outputs"][to]["pred_masks"]
        return logits
    recent = outputs["non_cond_frame_outputs"]
    # The public generator draws a progress bar a step, and refuses the single step to frame 0.
    recent[to], logits = predictor._run_single_frame_inference(
        state, outputs, to, 1, False, None, None, reverse=to < t, run_mem_encoder=True
    )
    memories = predictor.num_maskmem * predictor.memory_temporal_stride_for_eval
    reach = max(memories, predictor.max_obj_ptrs_in_encoder)
    for old in [index for index in recent if abs(index - to) > reach]:
        del recent[old]
    return logits
