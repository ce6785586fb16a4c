"""A segmenter of which more is adapted than its decoder."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput

S = TypeVar("S", bound=Segmenter)


class WithMore(ABC, Generic[S]):
    """Another segmenter, all the same but for `adaptable_modules`.

    Its encoder changes with them, so what it gave for a frame before is not what it gives later.

    Args:
        segmenter: of which more is adapted.

    Attributes:
        segmenter: likewise.
        name: of what is adapted besides; in brackets, as nobody names a module.
    """

    name: str

    def __init__(self, segmenter: S) -> None:
        self.segmenter = segmenter

    @abstractmethod
    def more(self) -> nn.ModuleList:
        """What is adapted besides the decoder, in the order of the model."""

    def plain(self) -> S:
        """The segmenter with all that was learned, as a model of its own kind."""
        return self.segmenter

    def decoder_modules(self) -> set[int]:
        """The identities of the modules that are adapted anyway."""
        return {
            id(layer)
            for module in self.segmenter.adaptable_modules().values()
            for layer in named_modules(module).values()
        }

    @property
    def num_classes(self) -> int:
        """Of the segmenter."""
        return self.segmenter.num_classes

    @property
    def feature_dim(self) -> int:
        """Of the segmenter."""
        return self.segmenter.feature_dim

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """As the segmenter."""
        return self.segmenter.preprocess(frames)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> Encoded:
        """As the segmenter."""
        return self.segmenter.encode(images)

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """As the segmenter."""
        return self.segmenter.decode(encoded)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """Those of the segmenter, and more."""
        return {**self.segmenter.adaptable_modules(), self.name: self.more()}
