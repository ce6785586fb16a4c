"""What test-time training needs of a propagator: that it can be differentiated."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Features: TypeAlias = Any
"""Of a frame; any nest of tensors."""
Value: TypeAlias = Any
"""Of a frame and its soft masks; any nest of tensors."""


@runtime_checkable
class MaskNetwork(Protocol):
    """A propagator as a function: masks of a frame from frames with masks that are remembered.

    Differentiable in soft masks and in its own weights. Masks and logits are on a grid of its own
    over the whole frame.
    """

    def encode_memory(self, features: Features, masks: Float[Tensor, "K h w"]) -> Value:
        """What is remembered of a frame, given soft masks in [0, 1] of its objects.

        Each object's value may depend on the others' masks, of which the network gets all.
        """
        ...

    def read(
        self, features: Features, memory: Sequence[tuple[Features, Value]]
    ) -> Float[Tensor, "K1 h w"]:
        """Logits of the background and all objects of a frame, from what is remembered.

        Args:
            features: of the frame.
            memory: at least one frame, in the order in which they were seen.
        """
        ...


@runtime_checkable
class DecodesValues(Protocol):
    """Optional for a `MaskNetwork`: it has a decoder, which can be asked without any matching."""

    def decode_value(self, features: Features, value: Value) -> Float[Tensor, "K1 h w"]:
        """Logits as `read` gives them, from a frame's own value."""
        ...
