"""Passes through an image model whose encoder may be trained, too."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.baselines.scope import Scope
from ditta_adapt.models.forward import encode
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.training.descent import no_encoder_gradient


def encode_in_scope(
    segmenter: Segmenter, images: Float[Tensor, "1 3 H2 W2"], scope: Scope
) -> Encoded:
    """Run the encoder, with gradients where the scope has it trained.

    Raises:
        SegmenterError: the model raised.
        AdaptationError: gradients are asked for and `Segmenter.encode` works in inference mode.
    """
    if scope == "decoder":
        with torch.no_grad():
            return encode(segmenter, images)
    encoded = encode(segmenter, images)
    leaves = [leaf for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor)]
    if any(leaf.is_inference() for leaf in leaves):
        raise no_encoder_gradient(segmenter)
    return encoded
