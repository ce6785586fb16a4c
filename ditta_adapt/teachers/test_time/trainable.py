"""What a propagator offers that can be trained on the video it is to follow."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.config import Objective
from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.test_time.mask_network import Features, MaskNetwork


@runtime_checkable
class TrainableNetwork(MaskNetwork, Protocol):
    """A `MaskNetwork` with weights; any `nn.Module` has the last two methods.

    Attributes:
        learning_rate: of Adam, where none is given; with it the weights move and are not lost.
    """

    learning_rate: float

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> Any:
        """What no training changes of a frame, in little memory; kept for the whole training."""
        ...

    def encode_frame(self, prepared: Any) -> Features:
        """What is needed of a frame, whatever is asked of it; once a step, with its gradients."""
        ...

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """Masks at frame size on the grid of the network, as shares of cells, on its device."""
        ...

    def trained_by(self, objective: Objective) -> Sequence[nn.Parameter]:
        """The weights that an objective trains; none if it cannot train this network."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """All weights, by name."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Set all weights."""
        ...


@runtime_checkable
class TrainablePropagator(Propagator, Protocol):
    """A propagator that can be trained on a video, see `adapt_propagator`."""

    def training_copy(self, frames: Sequence[Frame]) -> TrainableNetwork:
        """A private copy of what can be trained, in the state in which the propagator is."""
        ...

    def trained(self, network: Any) -> Propagator:
        """This propagator with what a training copy learned; itself as it was.

        Args:
            network: that `training_copy` returned; it may be trained on afterwards.
        """
        ...
