"""Masks of a frame from points alone, with what SAM2 expects of each."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_adapt.adapters.sam2_transformers.features import FrameFeatures
from ditta_adapt.teachers import AutoMasks

_AT_ONCE = 32
"""Points; each gives three masks."""


def automatic_masks(video: FrameFeatures, t: int, points: Sequence[tuple[int, int]]) -> AutoMasks:
    """Three masks a point, of its part, its object and what that belongs to.

    Args:
        video: features of its frames.
        t: the frame.
        points: `(x, y)` in pixels of the frame.
    """
    model, (height, width) = video.model, video.size
    side = model.config.image_size
    levels = [*video.at(t)]
    # As of a frame before which there was none.
    levels[-1] = levels[-1] + model.no_memory_embedding
    *finer, coarse = (
        level.permute(1, 2, 0).reshape(1, -1, *size)
        for level, size in zip(levels, model.backbone_feature_sizes, strict=True)
    )
    masks: list[Tensor] = []
    quality: list[Tensor] = []
    for first in range(0, len(points), _AT_ONCE):
        some = [(x * side / width, y * side / height) for x, y in points[first : first + _AT_ONCE]]
        with torch.no_grad(), video.autocast():
            sparse, dense = model.prompt_encoder(
                input_points=torch.tensor(some, device=model.device)[None, :, None],
                input_labels=torch.ones(1, len(some), 1, dtype=torch.int32, device=model.device),
                input_boxes=None,
                input_masks=None,
            )
            logits, expected, _, _ = model.mask_decoder(
                image_embeddings=coarse,
                image_positional_embeddings=model.get_image_wide_positional_embeddings(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
                high_resolution_features=list(finer),
            )
        masks.append(logits[0].flatten(0, 1).float())
        quality.append(expected[0].flatten().float())
    return AutoMasks(torch.cat(masks), torch.cat(quality))
