"""An image model for streaming, its encoder and decoder each as one CUDA graph."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.models.around import Around
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.ops.captured import Captured


class CompiledSegmenter(Around[Segmenter]):
    """A segmenter whose `encode` and `decode` are captured, see `Captured`.

    Weights may be written in place. Where a gradient is wanted, on a CPU, and where the model
    cannot be captured it is the segmenter itself. All else is the segmenter's own.

    Args:
        segmenter: one whose weights stay where they are.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__(segmenter)
        self._encode = Captured(segmenter.encode)
        self._decode = Captured(self._decoded)

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

    def __getattr__(self, name: str) -> Any:
        if name == "segmenter":
            raise AttributeError(name)
        return getattr(self.segmenter, name)

    def _decoded(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        output = self.segmenter.decode(encoded)
        return output.features, output.logits
