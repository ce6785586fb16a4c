"""A run of a segmenter on noise, before anything depends on it."""

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.errors import DittaError, SegmenterError
from ditta_adapt.models.caller_state import seeded
from ditta_adapt.models.own_forward import (
    MOST_DISAGREEMENT,
    ODD_SIZES,
    NoReference,
    forward_disagreement,
)
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import SegmenterOutput

# An odd one if the model takes it, then what divides by 32 and 14, as the sides often have to.
_SIZES = (ODD_SIZES[0], (128, 128), (224, 224), (448, 448), (512, 512))


def probe(segmenter: Any) -> tuple[UInt8[Tensor, "1 3 H W"], SegmenterOutput]:
    """Noise of the first size that a segmenter in eval mode takes, and what it gives for it.

    Raises:
        SegmenterError: the model takes none of the sizes that are tried.
    """
    device = device_of(segmenter)
    for size in _SIZES:
        frames = _noise(size).to(device)
        try:
            with torch.no_grad(), seeded(0, device):
                images = segmenter.preprocess(frames)
                return frames, segmenter.decode(segmenter.encode(images))
        except (DittaError, torch.OutOfMemoryError, MemoryError):
            raise
        # Whatever a model raises for a size that it does not take.
        except Exception as error:
            cause = error
    raise SegmenterError(
        f"the model cannot be run on a frame of {_SIZES[-1]} (H, W), nor on smaller ones: "
        f"{type(cause).__name__}: {cause}. Say the size that it takes, size=(H, W), or both "
        "num_classes and feature_dim."
    ) from cause


def check_own_forward(segmenter: Any, frames: UInt8[Tensor, "1 3 H W"]) -> None:
    """Refuse a segmenter whose labels are others than those of its model as a whole.

    Args:
        segmenter: with a `reference`, see `HasReference`; in eval mode.
        frames: noise of a size that it takes.

    Raises:
        SegmenterError: more labels of noise differ than near ties make.
    """
    try:
        lost = forward_disagreement(segmenter, segmenter.reference, frames)
    except NoReference:
        return
    if lost > MOST_DISAGREEMENT:
        raise SegmenterError(
            f"in the model's own forward pass {lost:.1%} of the labels of noise are others: around "
            "its decoder it does what would be lost, such as padding, cropping, or resizing in "
            "another way. Run all of it: HookedSegmenter(model, adapt=..., features=...), without "
            "decoder."
        )


def _noise(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (1, 3, *size), generator=generator, dtype=torch.uint8, device="cpu")
