"""Inference sessions of transformers ("runs"): how one starts, goes a step, and forgets."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from ditta_adapt import Prompt
from ditta_adapt.adapters.sam2_transformers.batches import Batch
from ditta_adapt.adapters.sam2_transformers.features import FrameFeatures
from ditta_adapt.adapters.sam2_transformers.loading import run_class_of
from ditta_adapt.adapters.sam2_transformers.prompts import mask_input, point_input

_POINTER = ("object_pointer",)
_MEMORY = (*_POINTER, "maskmem_features", "maskmem_pos_enc")


def new_run(video: FrameFeatures, t: int, prompts: Sequence[Prompt], *, masks: bool) -> Any:
    """A run with a click on frame `t` per prompt, or with its region as a mask."""
    device, (height, width) = video.model.device, video.size
    side = video.model.config.image_size
    run = run_class_of(video.model)(
        video_height=height,
        video_width=width,
        inference_device=device,
        inference_state_device=device,
        dtype=video.model.dtype,
    )
    for prompt in prompts:
        index = run.obj_id_to_idx(prompt.object_id)
        if masks:
            run.add_mask_inputs(index, t, mask_input(prompt, side, device))
        else:
            run.add_point_inputs(index, t, point_input(prompt, side, video.size))
    run.obj_with_new_inputs = [prompt.object_id for prompt in prompts]
    return run


def step(video: FrameFeatures, run: Any, t: int, *, reverse: bool) -> Bool[Tensor, "N H W"]:
    """Run the model on frame `t` for all objects of a run or a batch; masks on the CPU."""
    if isinstance(run, Batch):
        video.give_to(run.run, t, run.count)
        # As the model's own forward pass has it.
        with torch.inference_mode(), video.autocast():
            logits = run.logits(video, t, reverse=reverse)
        run = run.run
    else:
        video.give_to(run, t)
        with video.autocast():
            logits = video.model(inference_session=run, frame_idx=t, reverse=reverse).pred_masks
    _forget(run, t, video.model.config)
    # One by one: all objects at the frame's size, in float, may not fit.
    masks = [F.interpolate(one[None].float(), video.size, mode="bilinear") for one in logits]
    return torch.stack([(one[0, 0] > 0).cpu() for one in masks])


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
