"""Where matching gets its features: from a segmenter's own encoder, or from any network."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.errors import InputError
from ditta_adapt.models.feature_maps import as_map
from ditta_adapt.models.forward import decode, encode, preprocess_frame
from ditta_adapt.models.segmenter import Segmenter

_FINEST, _COARSEST = 4, 16
"""Strides of the maps that are matched: finer ones see edges only, coarser ones no place."""


@runtime_checkable
class FeatureNetwork(Protocol):
    """Any network that says what a place of a frame looks like."""

    def __call__(self, frame: UInt8[Tensor, "3 H W"]) -> Sequence[Float[Tensor, "1 D h w"]]:
        """Maps over the whole frame, at least one, each on a grid and with channels of its own.

        Args:
            frame: RGB.
        """
        ...


class SegmenterFeatures:
    """The maps of a segmenter's frozen encoder, of strides 4 to 16.

    Where it has none of these, what its classifier sees, see `SegmenterOutput.features`.

    Args:
        segmenter: with its pre-trained weights.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    def __call__(self, frame: UInt8[Tensor, "3 H W"]) -> list[Float[Tensor, "1 D h w"]]:
        """See `FeatureNetwork`.

        Raises:
            SegmenterError: the model raised.
        """
        with torch.no_grad():
            images = preprocess_frame(self.segmenter, frame)
            encoded = encode(self.segmenter, images)
            size = images.shape[2:]
            maps = []
            for leaf in pytree.tree_leaves(encoded):
                found = as_map(leaf, size) if isinstance(leaf, Tensor) else None
                if found is not None and _FINEST <= round(size[1] / found.shape[3]) <= _COARSEST:
                    maps.append(found)
            return maps or [decode(self.segmenter, encoded).features]


def check_features(features: object) -> None:
    """Refuse what cannot be called.

    Raises:
        InputError: it cannot.
    """
    if not callable(features):
        raise InputError(
            f"features is a {type(features).__name__}; expected a function from a frame "
            "(3, H, W) uint8 to a list of maps (1, D, h, w)."
        )
