"""A segmenter whose encoder learns updates of low rank (LoRA)."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.caller_state import OWN_LAYER, seeded
from ditta_adapt.models.parameters import layers_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.models.with_more import WithMore

S = TypeVar("S", bound=Segmenter)


class LowRankUpdate(nn.Module):
    r"""A weight, and what was learned to add to it.

    .. math:: W' = W + B A, \qquad B \in R^{out \times r}, A \in R^{r \times in}

    `B` starts at 0, so that nothing changes; `A` is drawn as torch draws a linear layer. Weights of
    more than two dimensions count as matrices: all but the first one are `in`.

    Args:
        weight: `W`, `(out, ...)`.
        rank: `r`.

    Attributes:
        down: `A`.
        up: `B`.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        flat = weight.detach().flatten(1)
        # Drawn on the CPU, so that every device gets the same.
        down = torch.empty(rank, flat.shape[1], **OWN_LAYER)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.down = nn.Parameter(down.to(flat))
        self.up = nn.Parameter(flat.new_zeros(len(flat), rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the update."""
        return weight + (self.up @ self.down).view_as(weight)

    @torch.no_grad()
    def merged(self, weight: Tensor) -> Tensor:
        """The same, bit by bit the same everywhere: what is made of it is known by its hash.

        Matrix products are rounded as the machine's library has it; these are sums in order.
        """
        precise = torch.promote_types(weight.dtype, torch.float32)
        total, down = weight.to(precise), self.down.to(precise)
        for column, row in zip(self.up.to(precise).T, down, strict=True):
            total = total + (column[:, None] * row).view_as(weight)
        return total.to(weight.dtype)


class WithLowRank(WithMore[S]):
    """A copy of a segmenter, whose encoder's weights learn updates of low rank; see `WithMore`.

    Linear and convolutional layers outside of the decoder learn, and the packed input projections
    of attention, where the update has fewer values than the weight, and no other layer shares that.
    The update is part of the weight wherever that is read, also without calling the layer.

    Args:
        segmenter: is copied; all but what is learned shares its memory.
        rank: of the updates.

    Raises:
        SegmenterError: no layer outside of its decoder is larger than an update of this rank.

    Source: Hu et al., LoRA, ICLR 2022, with a scale of 1.
    """

    name = "(low rank)"

    def __init__(self, segmenter: S, rank: int) -> None:
        super().__init__(private_copy(segmenter))
        chosen = list(_large_weights(self.segmenter, self.decoder_modules(), rank))
        if not chosen:
            raise SegmenterError(
                f"{type(segmenter).__name__} has no linear or convolutional layer outside of its "
                f"decoder that an update of rank {rank} would be smaller than, and whose weight no "
                "other layer shares; lower the rank, hold the encoder as modules if it is hidden "
                "in a function, or adapt the decoder alone."
            )
        with seeded(0, torch.device("cpu")):
            for layer, name in chosen:
                update = LowRankUpdate(getattr(layer, name), rank)
                parametrize.register_parametrization(layer, name, update, unsafe=True)

    def more(self) -> nn.ModuleList:
        """The updates."""
        return nn.ModuleList(update for _, _, update in _updates(self.segmenter))

    def plain(self) -> S:
        """A copy with the updates added to the weights: it takes no longer than the image model."""
        merged = private_copy(self.segmenter)
        for layer, name, update in list(_updates(merged)):
            # Not into the weight, whose memory is the image model's.
            original = layer.parametrizations[name].original  # type: ignore[index, union-attr]
            weight = nn.Parameter(update.merged(original), requires_grad=False)
            # remove_parametrizations takes the weight from the class, which copies share.
            layer.__class__ = parametrize.type_before_parametrizations(layer)
            del layer.parametrizations
            # First, as it was.
            layer._parameters = {name: weight, **layer._parameters}
        return merged


def _large_weights(
    segmenter: Segmenter, decoder: set[int], rank: int
) -> Iterator[tuple[nn.Module, str]]:
    """Layers outside of the decoder, and the names of weights that an update is smaller than."""
    layers = layers_of(segmenter)
    # One weight of two layers would become two.
    held = Counter(id(own) for layer in layers for own in layer.parameters(recurse=False))
    for layer in layers:
        name = "in_proj_weight" if isinstance(layer, nn.MultiheadAttention) else "weight"
        weight = layer._parameters.get(name)
        if (
            id(layer) in decoder
            or parametrize.is_parametrized(layer)
            or not isinstance(layer, nn.Linear | _ConvNd | nn.MultiheadAttention)
            # Others hold their values in ways of their own, such as four bits each.
            or type(weight) is not nn.Parameter
            or not weight.is_floating_point()
            or held[id(weight)] > 1
        ):
            continue
        rows, columns = len(weight), weight.numel() // max(len(weight), 1)
        if rank * (rows + columns) < rows * columns:
            yield layer, name


def _updates(segmenter: Segmenter) -> Iterator[tuple[nn.Module, str, LowRankUpdate]]:
    """Layers with updates, the names of their weights, and the updates, in order."""
    for layer in layers_of(segmenter):
        if parametrize.is_parametrized(layer):
            for name, chain in layer.parametrizations.items():  # type: ignore[operator, union-attr]
                if isinstance(chain[0], LowRankUpdate):
                    yield layer, name, chain[0]
