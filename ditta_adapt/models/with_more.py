"""A segmenter of which more is adapted than its decoder."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from ditta_adapt.models.around import Around
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.segmenter import Segmenter

S = TypeVar("S", bound=Segmenter)


class WithMore(Around[S], ABC):
    """Another segmenter, all the same but for `adaptable_modules`.

    Its encoder changes with them, so what it gave for a frame before is not what it gives later.

    Args:
        segmenter: of which more is adapted.

    Attributes:
        name: of what is adapted besides; in brackets, as nobody names a module.
    """

    name: str

    @abstractmethod
    def more(self) -> nn.ModuleList:
        """What is adapted besides the decoder, in the order of the model."""

    def plain(self) -> S:
        """The segmenter with all that was learned, as a model of its own kind; perhaps no copy."""
        return self.segmenter

    def decoder_modules(self) -> set[int]:
        """The identities of the modules that are adapted anyway."""
        return {
            id(layer)
            for module in self.segmenter.adaptable_modules().values()
            for layer in named_modules(module).values()
        }

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """Those of the segmenter, and more."""
        return {**self.segmenter.adaptable_modules(), self.name: self.more()}
