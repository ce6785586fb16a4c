"""The image-model protocol: what the library needs to know about a segmenter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.feature_maps import same_proportions

Encoded: TypeAlias = Any
"""Output of a frozen encoder: a tensor or any nest of tuples, lists and dicts of tensors."""


@dataclass(frozen=True, slots=True)
class SegmenterOutput:
    """What a decoder gives for a batch of frames, on its own grid.

    Attributes:
        features: `(B, D, h2, w2)` float; what the classifier sees. On the grid of the logits, or
            on a coarser one, if the model resizes its logits itself.
        logits: `(B, C, h, w)` float; class scores before the softmax.
    """

    features: Float[Tensor, "B D h2 w2"]
    logits: Float[Tensor, "B C h w"]


@runtime_checkable
class Segmenter(Protocol):
    """One image segmentation model, split into a frozen encoder and an adapted decoder.

    `decode(encode(preprocess(frames)))` must equal the model's own forward pass.
    """

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        ...

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        ...

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Turn RGB frames into the model's input: scaled, normalised, perhaps resized."""
        ...

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> Encoded:
        """Run the frozen part. Called once a frame, without gradients; the result is cached."""
        ...

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """Run the adapted part on what `encode` returned, with gradients while adapting."""
        ...

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The modules adaptation may change, by a name that is stable between runs."""
        ...


_METHODS = ("preprocess", "encode", "decode", "adaptable_modules")


def is_segmenter(candidate: object) -> bool:
    """Whether an object offers the four methods of `Segmenter`."""
    return all(callable(getattr(candidate, method, None)) for method in _METHODS)


def check_output(output: SegmenterOutput, num_classes: int, feature_dim: int) -> None:
    """Check one decoder output against what the segmenter declares; waits for the device.

    Raises:
        SegmenterError: see `check_form`; or a value that is not finite.
    """
    check_form(output, num_classes, feature_dim)
    check_finite(output)


def check_form(output: SegmenterOutput, num_classes: int, feature_dim: int) -> None:
    """Check all of a decoder output but its values.

    Raises:
        SegmenterError: wrong type, rank, class count, feature count or grid.
    """
    if not isinstance(output, SegmenterOutput):
        raise SegmenterError(
            f"decode returned a {type(output).__name__}; expected a "
            "SegmenterOutput(features=(B, D, h, w), logits=(B, C, h, w))."
        )
    for label, tensor, declared, attribute in (
        ("logits", output.logits, num_classes, "num_classes"),
        ("features", output.features, feature_dim, "feature_dim"),
    ):
        if not isinstance(tensor, Tensor):
            raise SegmenterError(f"decode returned {label} that are a {type(tensor).__name__}.")
        shape = tuple(tensor.shape)
        if tensor.ndim != 4:
            raise SegmenterError(f"decode returned {label} of shape {shape}; expected four axes.")
        if shape[1] != declared:
            raise SegmenterError(
                f"decode returned {label} of shape {shape}, so {shape[1]} channels, but the "
                f"segmenter declares {attribute} = {declared}. Make the two agree."
            )
    grids = output.features.shape[2:], output.logits.shape[2:]
    if grids[0] != grids[1] and not same_proportions(*grids):
        raise SegmenterError(
            f"features are on a {tuple(output.features.shape[2:])} grid and logits on a "
            f"{tuple(output.logits.shape[2:])} grid, which do not lie over the same image."
        )


def check_finite(output: SegmenterOutput) -> None:
    """Check the values of a decoder output; waits for the device.

    Raises:
        SegmenterError: NaN or infinity in it.
    """
    for label, tensor in (("logits", output.logits), ("features", output.features)):
        if not all_finite(tensor):
            raise not_finite(label)


def all_finite(tensor: Tensor) -> Bool[Tensor, ""]:
    """Whether all values are finite, on their device."""
    # A sum of finite numbers could overflow, so the largest magnitude is asked for: NaN wins it.
    return torch.isfinite(torch.stack(torch.aminmax(tensor.detach()))).all()


def not_finite(label: str, where: str = "") -> SegmenterError:
    """The error for values that are not finite."""
    return SegmenterError(
        f"decode returned {label} {where and where + ' '}with values that are not finite (NaN or "
        "infinity). Check the model's weights and the preprocessing, and its precision if it runs "
        "in half precision."
    )
