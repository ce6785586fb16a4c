"""Optimiser steps on a private copy, and the passes through a model that lead to them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.baselines.scope import Scope
from ditta_adapt.errors import AdaptationError
from ditta_adapt.models.parameters import adaptable_parameters, device_of
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.progress import Progress, ProgressCallback


class Descent:
    """The steps of one adaptation, counted, checked and reported.

    Args:
        segmenter: a private copy.
        parameters: those of its parameters that `optimizer` trains.
        optimizer: built on `parameters`.
        total: how many steps there will be.
        progress: called after every step.

    Attributes:
        losses: of the steps taken so far.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        parameters: Sequence[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        *,
        total: int,
        progress: ProgressCallback,
    ) -> None:
        self.losses: list[float] = []
        self._segmenter, self._parameters, self._optimizer = segmenter, parameters, optimizer
        self._total, self._progress = total, progress
        decoder = {id(parameter) for parameter in adaptable_parameters(segmenter)}
        self._is_encoder = [id(parameter) not in decoder for parameter in parameters]

    def step(self, loss: Float[Tensor, ""]) -> None:
        """One step down a loss.

        Raises:
            AdaptationError: the loss is not finite, or no gradient reaches what is trained.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            rate = self._optimizer.param_groups[0]["lr"]
            raise AdaptationError(
                f"the loss of step {len(self.losses)} is not finite: {value}. Lower learning_rate "
                f"(now {rate}), or run the model in float32."
            )
        gradients: Sequence[Tensor | None] = [None] * len(self._parameters)
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        self._check(gradients)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.losses.append(value)
        self._progress(Progress("adapt", len(self.losses), self._total, value))

    def _check(self, gradients: Sequence[Tensor | None]) -> None:
        encoder = [g for g, inside in zip(gradients, self._is_encoder, strict=True) if inside]
        if encoder and all(gradient is None for gradient in encoder):
            raise _cut_off(self._segmenter)
        if all(gradient is None for gradient in gradients):
            raise AdaptationError(
                f"no gradient reaches the {len(gradients)} trained parameters of "
                f"{type(self._segmenter).__name__}: its decode runs without gradients, or does "
                "not use them."
            )


def images_of(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "1 3 H2 W2"]:
    """The model's input for one frame."""
    with torch.no_grad():
        images: Tensor = segmenter.preprocess(frame.unsqueeze(0).to(device_of(segmenter)))
    return images


def encode(segmenter: Segmenter, images: Float[Tensor, "1 3 H2 W2"], scope: Scope) -> Encoded:
    """Run the encoder, with gradients where the scope has it trained.

    Raises:
        AdaptationError: gradients are asked for and `Segmenter.encode` works in inference mode.
    """
    if scope == "decoder":
        with torch.no_grad():
            return segmenter.encode(images)
    encoded = segmenter.encode(images)
    leaves = [leaf for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor)]
    if any(leaf.is_inference() for leaf in leaves):
        raise _cut_off(segmenter)
    return encoded


def _cut_off(segmenter: Segmenter) -> AdaptationError:
    return AdaptationError(
        f"no gradient reaches the trained parameters of the encoder: encode of "
        f"{type(segmenter).__name__} runs without gradients (torch.no_grad, torch.inference_mode "
        "or detach). Take that out of encode, since gradients are switched off around it wherever "
        "none are wanted; or train the decoder alone, where the method has a scope."
    )
