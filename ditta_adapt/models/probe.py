"""A run of a segmenter on noise, before anything depends on it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.errors import DittaError, SegmenterError
from ditta_adapt.models.own_forward import (
    MOST_DISAGREEMENT,
    ODD_SIZES,
    NoReference,
    forward_disagreement,
)
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import SegmenterOutput

T = TypeVar("T")

# The second divides by whatever the sides of an image usually have to.
_SIZES = (ODD_SIZES[0], (128, 128))


def probe(segmenter: Any) -> SegmenterOutput:
    """What a segmenter in eval mode gives for noise, at an odd size if it takes one.

    Raises:
        SegmenterError: the model cannot be run.
    """
    return _at_first_size(segmenter, segmenter_output)


def check_own_forward(segmenter: Any) -> None:
    """Refuse a segmenter whose labels are others than those of its model as a whole.

    Args:
        segmenter: with a `reference`, see `HasReference`; in eval mode.

    Raises:
        SegmenterError: more labels of noise differ than near ties make.
    """
    with suppress(NoReference):
        lost = _at_first_size(segmenter, partial(forward_disagreement, segmenter))
        if lost > MOST_DISAGREEMENT:
            raise SegmenterError(
                f"in the model's own forward pass {lost:.1%} of the labels of noise are others: "
                "around its decoder it does what would be lost, such as padding, cropping, or "
                "resizing in another way. Run all of it: HookedSegmenter(model, adapt=..., "
                "features=...), without decoder."
            )


def segmenter_output(segmenter: Any, frames: UInt8[Tensor, "B 3 H W"]) -> SegmenterOutput:
    """Features and logits of frames, without gradients."""
    with torch.no_grad():
        output: SegmenterOutput = segmenter.decode(segmenter.encode(segmenter.preprocess(frames)))
    return output


def _at_first_size(segmenter: Any, run: Callable[[Any, Tensor], T]) -> T:
    for size in _SIZES:
        frames = _noise(size).to(device_of(segmenter))
        try:
            return run(segmenter, frames)
        except DittaError:
            raise
        # Whatever a model raises for a size that it does not take.
        except Exception as error:
            cause = error
    raise SegmenterError(
        f"the model cannot be run on a frame of {_SIZES[-1]} (H, W): {type(cause).__name__}: "
        f"{cause}. Say the size that it takes: size=(H, W)."
    ) from cause


def _noise(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (1, 3, *size), generator=generator, dtype=torch.uint8, device="cpu")
