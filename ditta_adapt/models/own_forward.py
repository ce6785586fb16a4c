"""Whether a segmenter says what its model says when it is called as a whole."""

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.models.caller_state import seeded, without_autocast
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits

MOST_DISAGREEMENT = 0.001
"""Share of pixels that may be labelled otherwise; a lost border or resize makes it more."""

ODD_SIZES = ((97, 131), (75, 109))
"""`(H, W)` at which padding, cropping and resizing inside of a model show."""

# Logits nearer than so many rounding errors are a tie: resizing rounds, too.
_TIE = 4


class HasReference(Protocol):
    """A segmenter that can also run its model as a whole; optional, for checks."""

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h2 w2"]:
        """Logits of the model's own forward pass, or what ranks the classes alike, on any grid."""
        ...


def forward_disagreement(
    segmenter: Segmenter,
    reference: Callable[[Tensor], Tensor],
    frames: UInt8[Tensor, "B 3 H W"],
) -> float:
    """Share of cells whose label is another one in the model's own forward pass.

    Counted on the grid of that pass, to which the segmenter's logits are resized; ties of its
    precision are not counted. Both run without gradients and autocast, and draw the same random
    numbers.

    Args:
        segmenter: in eval mode.
        reference: the model's own forward pass, see `HasReference`.
        frames: on its device.
    """
    device = frames.device
    with torch.no_grad(), without_autocast(device):
        images = segmenter.preprocess(frames)
        with seeded(0, device):
            parts = segmenter.decode(segmenter.encode(images)).logits
        with seeded(0, device):
            whole = reference(images)
    precision = max(torch.finfo(logits.dtype).eps for logits in (parts, whole))
    grid = (whole.shape[2], whole.shape[3])
    labels = resize_logits(parts, grid).argmax(1, keepdim=True)
    whole = whole.float()
    behind = whole.amax(1, keepdim=True) - whole.gather(1, labels)
    tie = _TIE * precision * whole.abs().amax(1, keepdim=True)
    return float((behind > tie).double().mean())
