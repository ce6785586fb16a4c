"""An image model for streaming, its encoder and decoder each as one CUDA graph."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.ops.captured import Captured


class CompiledSegmenter:
    """A segmenter whose `encode` and `decode` are captured, see `Captured`.

    Weights may be written in place. Where a gradient is wanted, on a CPU, and where the model
    cannot be captured it is the segmenter itself. All else is the segmenter's own.

    Args:
        segmenter: one whose weights stay where they are.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        # Not a method, so that its signature is the segmenter's.
        self.preprocess = segmenter.preprocess
        self._encode = Captured(segmenter.encode)
        self._decode = Captured(self._decoded)

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return self.segmenter.num_classes

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return self.segmenter.feature_dim

    @property
    def problem(self) -> str:
        """Why the model runs as it is, in plain words, or `""`."""
        found = {"encode": self._encode.problem, "decode": self._decode.problem}
        shown = [f"{call} could not be captured ({why})" for call, why in found.items() if why]
        if not torch.cuda.is_available():
            shown = ["CUDA graphs need a GPU"]
        return "; ".join(shown)

    def encode(self, images: Float[Tensor, "B *image"]) -> Encoded:
        """See the segmenter's own."""
        return self._encode(images)

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """See the segmenter's own."""
        features, logits = self._decode(encoded)
        return SegmenterOutput(features=features, logits=logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """See the segmenter's own."""
        return self.segmenter.adaptable_modules()

    def __getattr__(self, name: str) -> Any:
        if name == "segmenter":
            raise AttributeError(name)
        return getattr(self.segmenter, name)

    def _decoded(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        output = self.segmenter.decode(encoded)
        return output.features, output.logits
