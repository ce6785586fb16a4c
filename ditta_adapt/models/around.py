"""A segmenter around another one."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.models.shown_at import shown_at

S = TypeVar("S", bound=Segmenter)


class Around(Generic[S]):
    """Another segmenter, all the same but for what a subclass does otherwise.

    Args:
        segmenter: the other one.

    Attributes:
        segmenter: likewise.
    """

    def __init__(self, segmenter: S) -> None:
        self.segmenter = segmenter

    @property
    def num_classes(self) -> int:
        """Of the segmenter."""
        return self.segmenter.num_classes

    @property
    def feature_dim(self) -> int:
        """Of the segmenter."""
        return self.segmenter.feature_dim

    def preprocess(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B *image"]:
        """As the segmenter, at another size, too; see `shown_at`."""
        return shown_at(self.segmenter, frames, scale)

    def encode(self, images: Float[Tensor, "B *image"]) -> Encoded:
        """As the segmenter."""
        return self.segmenter.encode(images)

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """As the segmenter."""
        return self.segmenter.decode(encoded)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """As the segmenter."""
        return self.segmenter.adaptable_modules()
