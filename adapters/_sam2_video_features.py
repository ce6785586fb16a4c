"""Image features of frames for SAM2-like video models of transformers, and steps that read them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Frame, InputError, LiveFrames, Prompt, ShapeError
from ditta_adapt.adapters._sam2_video_prompts import mask_input, point_input
from ditta_adapt.teachers.live_frames import oldest_kept

_POINTER = ("object_pointer",)
_MEMORY = (*_POINTER, "maskmem_features", "maskmem_pos_enc")
# Of ImageNet; SAM2 and EdgeTAM are trained with these.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FrameFeatures:
    """Image features of a list of frames, computed once a frame, and the model that reads them.

    Args:
        model: a `Sam2VideoModel` or `EdgeTamVideoModel` in eval mode.
        run_class: the class of its inference sessions.
        frames: `(H, W, 3)` uint8 each.
        dtype: what to autocast to, `torch.float32` for not at all; by default bfloat16 on CUDA.
        mask_prompts: objects start from the prompt's region, not from its point.
    """

    def __init__(
        self,
        model: Any,
        run_class: Any,
        frames: Sequence[Frame],
        dtype: torch.dtype | None,
        mask_prompts: bool,
    ) -> None:
        if not len(frames):
            raise InputError("no frames: a session needs at least one frame of the video.")
        self.frames = frames
        height, width = frames[oldest_kept(frames)].shape[:2]
        self.size: tuple[int, int] = (int(height), int(width))
        self.sessions = 0
        default = torch.bfloat16 if model.device.type == "cuda" else torch.float32
        self._model, self._run_class, self._dtype = model, run_class, dtype or default
        self._mask_prompts = mask_prompts
        self._kept: dict[int, list[Tensor]] = {}
        self._position: list[Tensor] = []

    def new_run(self, t: int, prompts: Sequence[Prompt]) -> Any:
        """An inference session of transformers with a click or a mask on frame `t` per prompt."""
        device, (height, width) = self._model.device, self.size
        side = self._model.config.image_size
        run = self._run_class(
            video_height=height,
            video_width=width,
            inference_device=device,
            inference_state_device=device,
            dtype=self._model.dtype,
        )
        for prompt in prompts:
            index = run.obj_id_to_idx(prompt.object_id)
            if self._mask_prompts:
                run.add_mask_inputs(index, t, mask_input(prompt, side, device))
            else:
                run.add_point_inputs(index, t, point_input(prompt, side, self.size))
        run.obj_with_new_inputs = [prompt.object_id for prompt in prompts]
        return run

    def step(self, run: Any, t: int, *, reverse: bool) -> Bool[Tensor, "N H W"]:
        """Run the model on frame `t` for all objects of `run`; masks on the CPU."""
        features = self.at(t)
        # It is handed features, never pixels; but the model counts its frames.
        run.processed_frames = range(self._count())
        run.cache.cache_vision_features(
            t, {"vision_feats": features, "vision_pos_embeds": self._position}
        )
        with self._autocast():
            logits = self._model(inference_session=run, frame_idx=t, reverse=reverse).pred_masks
        _forget(run, t, self._model.config)
        # One by one: all objects at the frame's size, in float, may not fit.
        masks = [F.interpolate(one[None].float(), self.size, mode="bilinear") for one in logits]
        return torch.stack([(one[0, 0] > 0).cpu() for one in masks])

    def at(self, t: int) -> list[Tensor]:
        """Features of frame `t`, finest level first: `(h * w, 1, D)` each."""
        if t not in self._kept:
            with torch.no_grad(), self._autocast():
                output = self._model.get_image_features(self._image(t), return_dict=True)
            if self.sessions < 2:
                # A single session will not come back to a frame it has left.
                self._kept.clear()
            oldest = oldest_kept(self.frames)
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            self._kept[t] = list(output.fpn_hidden_states)
            # The same for all frames, and of all levels the model reads the last.
            self._position = self._position or [output.fpn_position_encoding[-1]]
        return self._kept[t]

    def _count(self) -> int:
        """How many frames the model is told there are.

        It scales the age of its memories to the video's length, up to the number of pointers it
        looks at. A live video counts as long from the start, or its first masks would depend on
        how far it had come.
        """
        pointers: int = self._model.config.max_object_pointers_in_encoder
        live = isinstance(self.frames, LiveFrames)
        return max(len(self.frames), pointers) if live else len(self.frames)

    def _image(self, t: int) -> Float[Tensor, "1 3 S S"]:
        frame = self.frames[t]
        if tuple(frame.shape) != (*self.size, 3):
            raise ShapeError(
                f"frame {t} has shape {tuple(frame.shape)}; expected {(*self.size, 3)}: (H, W, 3), "
                "and all frames of a video of one size."
            )
        # A copy: torch warns about arrays that are read-only or have negative strides.
        pixels = frame if isinstance(frame, Tensor) else torch.from_numpy(np.array(frame))
        side = self._model.config.image_size
        image = pixels.to(self._model.device).permute(2, 0, 1)[None].float() / 255
        image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        mean, std = (image.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))
        return ((image - mean) / std).to(self._model.dtype)

    def _autocast(self) -> torch.autocast:
        enabled = self._dtype != torch.float32
        return torch.autocast(self._model.device.type, self._dtype if enabled else None, enabled)


def _forget(run: Any, t: int, config: Any) -> None:
    """Drop from a run that is on frame `t` what the model will not read on its neighbours.

    Conditioning outputs stay. Of the others the model reads the memories of the last
    `num_maskmem - 1` frames, and the pointers of the last `max_object_pointers_in_encoder - 1`.
    """
    memories, pointers = config.num_maskmem - 1, config.max_object_pointers_in_encoder - 1
    for index, outputs in run.output_dict_per_obj.items():
        run.frames_tracked_per_obj[index].clear()
        for output in outputs["cond_frame_outputs"].values():
            output.pop("high_res_masks", None)
        past = outputs["non_cond_frame_outputs"]
        for frame, output in list(past.items()):
            distance = abs(frame - t)
            keys = _MEMORY if distance < memories else _POINTER
            # Back at a frame whose memory is gone, the model does as if it had never seen it.
            if distance < max(memories, pointers) and all(key in output for key in keys):
                past[frame] = {key: output[key] for key in keys}
            else:
                del past[frame]
