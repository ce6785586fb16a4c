"""Objects of a run, followed several at a time, where the library takes them one by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ditta_adapt.adapters.sam2_transformers.features import FrameFeatures
from ditta_adapt.adapters.sam2_transformers.head import mask_head
from ditta_adapt.adapters.sam2_transformers.loading import run_class_of

AT_ONCE = 16
"""Objects in a batch: while it runs, each takes some ten megabytes a layer at SAM2's own size."""

# What is stored of an object: along which axis it is one.
_AXES = {
    "pred_masks": 0,
    "object_pointer": 0,
    "object_score_logits": 0,
    "maskmem_features": 1,
    "maskmem_pos_enc": 1,
}
# SAM2's score of a pixel where the object is not in the frame.
_ABSENT = -1024.0


@dataclass(frozen=True)
class Batch:
    """Objects that were prompted on one frame, in a run in which they are one object.

    Whatever the library stores of an object has an axis of length 1 for it; here that is as long as
    there are objects. They were prompted together and are followed together, so they remember the
    same frames.

    Attributes:
        run: an inference session of transformers.
        count: of the objects.
    """

    run: Any
    count: int

    def logits(self, video: FrameFeatures, t: int, *, reverse: bool) -> Float[Tensor, "N 1 h w"]:
        """Follow the objects to frame `t`, a neighbour of the frame they are on; their masks."""
        stored = self.run.output_dict_per_obj[0]
        output = stored["cond_frame_outputs"].get(t)
        if output is None:
            output = self._tracked(video.model, t, reverse)
            self.run.store_output(0, t, output_value=output, is_conditioning_frame=False)
        self.run.frames_tracked_per_obj[0][t] = {"reverse": reverse}
        masks: Tensor = output["pred_masks"]
        return masks

    def _tracked(self, model: Any, t: int, reverse: bool) -> dict[str, Tensor]:
        """What is found of the objects on a frame, and what is to be remembered of it."""
        given = self.run.cache.get_vision_features(t)
        *fine, coarse = given["vision_feats"]
        with _batch_first(model.memory_attention):
            remembered = model._prepare_memory_conditioned_features(
                inference_session=self.run,
                frame_idx=t,
                obj_idx=0,
                is_initial_conditioning_frame=False,
                current_vision_features=coarse,
                current_vision_positional_embeddings=given["vision_pos_embeds"][-1],
                num_total_frames=self.run.num_frames,
                track_in_reverse_time=reverse,
            )
        sizes = model.backbone_feature_sizes
        maps = [
            level.permute(1, 2, 0).unflatten(2, size)
            for level, size in zip(fine, sizes[:-1], strict=True)
        ]
        masks, pointer, score = _decoded(model, remembered, maps)
        large = F.interpolate(masks.float(), 2 * (model.image_size,), mode="bilinear")
        memory, place = model._encode_new_memory(
            current_vision_feats=coarse,
            pred_masks_high_res=large.to(masks.dtype),
            object_score_logits=score,
            is_mask_from_pts=False,
        )
        found = (masks, pointer, score, memory, place)
        return dict(zip(_AXES, found, strict=True))


def batches(video: FrameFeatures, run: Any, t: int) -> Iterator[Any]:
    """The objects of a run that were just prompted on frame `t`, in batches.

    Of a single object, and of a model other than SAM2 itself, whose memory is made in another way,
    this is the run.
    """
    if type(video.model).__name__ != "Sam2VideoModel" or len(run.output_dict_per_obj) == 1:
        yield run
        return
    outputs = [stored["cond_frame_outputs"][t] for stored in run.output_dict_per_obj.values()]
    for first in range(0, len(outputs), AT_ONCE):
        some = outputs[first : first + AT_ONCE]
        own = run_class_of(video.model)(
            video_height=run.video_height,
            video_width=run.video_width,
            inference_device=run.inference_device,
            inference_state_device=run.inference_state_device,
            dtype=run.dtype,
        )
        own.obj_id_to_idx(0)
        joined = {key: torch.cat([each[key] for each in some], axis) for key, axis in _AXES.items()}
        own.store_output(0, t, output_value=joined, is_conditioning_frame=True)
        yield Batch(own, len(some))


def _decoded(model: Any, remembered: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Of every object its mask, its pointer, and whether it is there at all."""
    masks, pointer, score = mask_head(model, remembered, maps)
    there = score > 0
    weight = there.to(pointer.dtype)
    pointer = weight * pointer + (1 - weight) * model.no_object_pointer
    return torch.where(there.unsqueeze(-1), masks, _ABSENT), pointer, score


@contextmanager
def _batch_first(attention: nn.Module) -> Iterator[None]:
    """The attention's answer `(1, N, ...)` as `(N, 1, ...)`.

    Its caller drops the axis of length 1 as if it were the second; with one object both are.
    """

    def batch_first(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return output.transpose(0, 1)

    handle = attention.register_forward_hook(batch_first)
    try:
        yield
    finally:
        handle.remove()
