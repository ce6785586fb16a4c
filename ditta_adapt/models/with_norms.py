"""A segmenter of which the normalisation layers outside of its decoder are adapted, too."""

from typing import TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.parameters import layers_of
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.models.with_more import WithMore

# The first is the base of batch norm (also synchronised) and instance norm.
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
S = TypeVar("S", bound=Segmenter)


def norm_layers(segmenter: Segmenter) -> list[nn.Module]:
    """Batch, synchronised batch, instance, layer and group norms of all of a model."""
    return [layer for layer in layers_of(segmenter) if isinstance(layer, _NORMS)]


class WithNorms(WithMore[S]):
    """Another segmenter of which scale and shift of all norms are adapted, see `WithMore`.

    Raises:
        SegmenterError: it has no norms with weights outside of its decoder.
    """

    name = "(norms)"

    def __init__(self, segmenter: S) -> None:
        super().__init__(segmenter)
        if not len(self.more()):
            raise SegmenterError(
                f"{type(segmenter).__name__} has no normalisation layer with a scale or shift "
                "outside of its decoder; adapt the decoder alone."
            )

    def more(self) -> nn.ModuleList:
        """Norms with weights of their own, outside of the decoder."""
        decoder = self.decoder_modules()
        return nn.ModuleList(
            layer
            for layer in norm_layers(self.segmenter)
            if id(layer) not in decoder and list(layer.parameters(recurse=False))
        )
