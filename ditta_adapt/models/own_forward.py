"""Whether a segmenter says what its model says when it is called as a whole."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits

MOST_DISAGREEMENT = 0.001
"""Share of pixels that near ties may label otherwise; a lost border or resize makes it more."""

ODD_SIZES = ((97, 131), (75, 109))
"""`(H, W)` at which padding, cropping and resizing inside of a model show."""


class NoReference(SegmenterError):
    """The output of a model's own forward pass has no logits that can be found."""


@runtime_checkable
class HasReference(Protocol):
    """A segmenter that can also run its model as a whole; optional, for checks."""

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h2 w2"]:
        """Logits of the model's own forward pass, or what ranks the classes alike, on any grid.

        Raises:
            NoReference: none can be found in what it returns.
        """
        ...


def forward_disagreement(
    segmenter: Segmenter, own: HasReference, frames: UInt8[Tensor, "B 3 H W"]
) -> float:
    """Share of pixels whose label is another one in the model's own forward pass.

    Both are resized to the frames before labels are taken, without gradients.

    Args:
        segmenter: in eval mode.
        own: the same.
        frames: on its device.

    Raises:
        NoReference: see `HasReference`.
    """
    size = (frames.shape[2], frames.shape[3])
    with torch.no_grad():
        images = segmenter.preprocess(frames)
        parts = segmenter.decode(segmenter.encode(images)).logits
        whole = own.reference(images)
    first, second = (resize_logits(logits, size).argmax(1) for logits in (parts, whole))
    return float((first != second).double().mean())
