"""One frame shown several times: smaller and larger, and mirrored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.errors import AdaptationError, SegmenterError
from ditta_adapt.models.forward import decode, encode
from ditta_adapt.models.segmenter import Segmenter

# Every common encoder reduces by a divisor of it.
_MULTIPLE = 32


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a frame.

    Attributes:
        scale: of the height and width of the model's input; 1 leaves it exactly as it is.
        mirrored: left and right exchanged.
    """

    scale: float
    mirrored: bool

    @property
    def is_plain(self) -> bool:
        """Whether this is the model's input as it is."""
        return self.scale == 1 and not self.mirrored

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size at which an input of `(height, width)` is shown.

        Scaled sides are rounded to the nearest multiple of 32, at least 32.
        """
        if self.scale == 1:
            return height, width
        rounded = [
            max(_MULTIPLE, _MULTIPLE * round(side * self.scale / _MULTIPLE))
            for side in (height, width)
        ]
        return rounded[0], rounded[1]

    def show(self, images: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 h2 w2"]:
        """The model's input in this view: bilinear, not anti-aliased."""
        size = self.size(images.shape[2], images.shape[3])
        if size != tuple(images.shape[2:]):
            images = F.interpolate(images, size, mode="bilinear", align_corners=False)
        return images.flip(3) if self.mirrored else images


def all_views(scales: Sequence[float]) -> Iterator[View]:
    """For each scale, as it is and mirrored."""
    for scale in scales:
        for mirrored in (False, True):
            yield View(scale, mirrored)


def probabilities(
    logits: Float[Tensor, "1 C h w"], size: tuple[int, int], *, mirrored: bool = False
) -> Float[Tensor, "1 C H W"]:
    """Class probabilities at frame size: softmax on the logits' own grid, resized, mirrored back.

    Bilinear weights are at least 0 and sum to 1, so these are still probabilities.
    """
    resized = F.interpolate(
        logits.float().softmax(dim=1), size, mode="bilinear", align_corners=False
    )
    return resized.flip(3) if mirrored else resized


def average_over_views(
    segmenter: Segmenter,
    images: Float[Tensor, "1 3 h w"],
    scales: Sequence[float],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "1 C H W"], Float[Tensor, "1 C H W"]]:
    """A model's probabilities for one frame: averaged over all views, and of the plain view.

    Args:
        segmenter: the model, run without gradients, one view at a time.
        images: its input.
        scales: one of them is 1.
        size: `(H, W)` of the result.

    Raises:
        AdaptationError: the model refuses a size.
        SegmenterError: it refuses its own.
    """
    total, plain, count = None, None, 0
    for view in all_views(scales):
        shown = view.show(images)
        with torch.no_grad():
            try:
                logits = decode(segmenter, encode(segmenter, shown)).logits
            except SegmenterError as error:
                if view.scale == 1:
                    raise
                raise AdaptationError(
                    f"the model could not be run on its input resized by {view.scale}, from "
                    f"{tuple(images.shape[2:])} to {tuple(shown.shape[2:])} (H, W): {error} "
                    "Leave that scale out; scales=(1.0,) shows every frame in its own size only."
                ) from error
            view_probabilities = probabilities(logits, size, mirrored=view.mirrored)
        if view.is_plain:
            plain = view_probabilities
        total = view_probabilities if total is None else total + view_probabilities
        count += 1
    assert total is not None
    assert plain is not None
    return total / count, plain
