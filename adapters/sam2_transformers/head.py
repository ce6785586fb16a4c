"""SAM2's mask head for several objects at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class Found(NamedTuple):
    """What the head says of each of `N` objects.

    Attributes:
        masks: logits `(N, 1, h, w)`, whether or not it is there.
        pointer: what its mask looks like, `(N, 1, D)`; for one that is there.
        score: `(N, 1, 1)`, above 0 if it is there.
    """

    masks: Tensor
    pointer: Tensor
    score: Tensor


def mask_head(
    model: Any,
    embedding: Float[Tensor, "N D h w"],
    finer: Sequence[Tensor],
    shown: Float[Tensor, "N 1 S S"] | None = None,
) -> Found:
    """Run prompt encoder and mask decoder, without points.

    The library's own choice among several masks is right for one object only.

    Args:
        model: a `Sam2VideoModel`.
        embedding: of the frame, by object, with or without what is remembered.
        finer: feature maps of the frame, finest first, `(N, D, h, w)` each.
        shown: a mask of each object as a prompt.
    """
    count, device = len(embedding), embedding.device
    if shown is not None:
        size = model.prompt_encoder.mask_input_size
        shown = F.interpolate(model.mask_downsample(shown), size, mode="bilinear", antialias=True)
    sparse, dense = model.prompt_encoder(
        input_points=embedding.new_zeros(count, 1, 1, 2),
        input_labels=-torch.ones(count, 1, 1, dtype=torch.int32, device=device),
        input_boxes=None,
        input_masks=shown,
    )
    several = shown is None and model._use_multimask(False, None)
    masks, quality, tokens, score = model.mask_decoder(
        image_embeddings=embedding,
        image_positional_embeddings=model.get_image_wide_positional_embeddings().repeat(
            count, 1, 1, 1
        ),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=several,
        high_resolution_features=list(finer),
    )
    each = torch.arange(count, device=device)
    best = quality[:, 0].argmax(dim=-1) if several else torch.zeros_like(each)
    token = tokens[each, 0, best if tokens.shape[2] > 1 else torch.zeros_like(each)].unsqueeze(1)
    return Found(masks[each, 0, best].unsqueeze(1), model.object_pointer_proj(token), score)
