"""The state of one session in the `sam2` package, and one step with it."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.adapters.sam2.features import ImageFeatures


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
