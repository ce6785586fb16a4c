"""A network that tells source from target by what is predicted, and a student who confuses it."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ditta_adapt.config import Discriminator
from ditta_adapt.domain.optimizer_state import load_optimizer, optimizer_tensors, under

_WIDTH = 64
_SLOPE = 0.2
_SOURCE, _TARGET = 0.0, 1.0
_RATE = 1e-4
_LEAST = 64
"""Cells of the shorter side of maps that are told apart."""


def make_network(channels: int) -> nn.Sequential:
    """Five convolutions of stride 2.

    Source: Tsai et al., "Learning to Adapt Structured Output Space for Semantic Segmentation"
    (AdaptSegNet), CVPR 2018.
    """
    layers: list[nn.Module] = []
    for width in (_WIDTH, 2 * _WIDTH, 4 * _WIDTH, 8 * _WIDTH):
        layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, 2, 1))


class VideoDiscriminator:
    r"""Tells the domain of softmax maps, of one frame or of two neighbouring ones stacked.

    With `D` its answer and `p` the maps:

    .. math::
        L_{student} = \lambda\, BCE(D(p_T), source), \qquad
        L_D = \tfrac12 BCE(D(p_S), source) + \tfrac12 BCE(D(p_T), target)

    Gradients of the student go through the present frame alone.

    Args:
        num_classes: of the model.
        options: of the term.
        device: of the model.

    Source: DA-VSN (Guan et al., ICCV 2021), whose discriminators see one frame (image) and two
    (video); AdaptSegNet (CVPR 2018).
    """

    def __init__(self, num_classes: int, options: Discriminator, device: torch.device) -> None:
        self.stacked, self._weight = options.stacked, options.weight
        self.network = make_network(num_classes * (2 if options.stacked else 1)).to(device)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=_RATE, betas=(0.9, 0.99))

    def confuse(self, target: Float[Tensor, "1 K h w"]) -> Float[Tensor, ""]:
        """The student's term, of maps of the target."""
        return self._weight * _cross_entropy(self._answer(target), _SOURCE)

    def learn(self, source: Float[Tensor, "1 K h w"], target: Float[Tensor, "1 K h2 w2"]) -> None:
        """One step of its own, on maps of both."""
        loss = (
            _cross_entropy(self._answer(source.detach()), _SOURCE)
            + _cross_entropy(self._answer(target.detach()), _TARGET)
        ) / 2
        parameters = list(self.network.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """All of its tensors by name, those of its optimiser too; not cloned."""
        network = {f"network.{name}": each for name, each in self.network.state_dict().items()}
        own = optimizer_tensors(self._optimizer)
        return network | {f"optimizer.{name}": each for name, each in own.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.network.load_state_dict(under(tensors, "network."))
        load_optimizer(self._optimizer, under(tensors, "optimizer."))

    def _answer(self, maps: Tensor) -> Tensor:
        # Five times halved, something must be left.
        factor = max(_LEAST / min(maps.shape[2:]), 1.0)
        size = [round(side * factor) for side in maps.shape[2:]]
        answer: Tensor = self.network(F.interpolate(maps, size, mode="bilinear"))
        return answer


def _cross_entropy(logits: Tensor, domain: float) -> Float[Tensor, ""]:
    loss: Tensor = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, domain))
    return loss
