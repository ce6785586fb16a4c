"""Passes through an image model whose encoder may be trained, too."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.baselines.scope import Scope
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.training.descent import no_encoder_gradient


def images_of(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "1 3 H2 W2"]:
    """The model's input for one frame."""
    with torch.no_grad():
        images: Tensor = segmenter.preprocess(frame.unsqueeze(0).to(device_of(segmenter)))
    return images


def encode(segmenter: Segmenter, images: Float[Tensor, "1 3 H2 W2"], scope: Scope) -> Encoded:
    """Run the encoder, with gradients where the scope has it trained.

    Raises:
        AdaptationError: gradients are asked for and `Segmenter.encode` works in inference mode.
    """
    if scope == "decoder":
        with torch.no_grad():
            return segmenter.encode(images)
    encoded = segmenter.encode(images)
    leaves = [leaf for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor)]
    if any(leaf.is_inference() for leaf in leaves):
        raise no_encoder_gradient(segmenter)
    return encoded
