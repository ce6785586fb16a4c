"""A segmenter of which the normalisation layers outside of its decoder are adapted, too."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import modules_of
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput

# The first is the base of batch norm (also synchronised) and instance norm.
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
S = TypeVar("S", bound=Segmenter)


def norm_layers(segmenter: Segmenter) -> list[nn.Module]:
    """Batch, synchronised batch, instance, layer and group norms of all of a model."""
    layers = {
        id(layer): layer
        for module in modules_of(segmenter)
        for layer in named_modules(module).values()
        if isinstance(layer, _NORMS)
    }
    return list(layers.values())


class WithNorms(Generic[S]):
    """Another segmenter, all the same but for `adaptable_modules`.

    Its encoder changes with them, so what it gave for a frame before is not what it gives later.

    Args:
        segmenter: whose norms are adapted.

    Attributes:
        segmenter: likewise.

    Raises:
        SegmenterError: it has no norms with weights outside of its decoder.
    """

    def __init__(self, segmenter: S) -> None:
        self.segmenter = segmenter
        if not len(self._norms()):
            raise SegmenterError(
                f"{type(segmenter).__name__} has no normalisation layer with a scale or shift "
                "outside of its decoder; adapt the decoder alone."
            )

    def _norms(self) -> nn.ModuleList:
        decoder = {
            id(layer)
            for module in self.segmenter.adaptable_modules().values()
            for layer in named_modules(module).values()
        }
        return nn.ModuleList(
            layer
            for layer in norm_layers(self.segmenter)
            if id(layer) not in decoder and list(layer.parameters(recurse=False))
        )

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
        """Those of the segmenter, and the other norms in the order of the model."""
        # In brackets, as nobody names a module.
        return {**self.segmenter.adaptable_modules(), "(norms)": self._norms()}
