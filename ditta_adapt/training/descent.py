"""Optimiser steps on a private copy: taken in one place, counted, checked and reported."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ditta_adapt.errors import AdaptationError
from ditta_adapt.models.forward import model_errors
from ditta_adapt.models.parameters import adaptable_parameters, adaptable_state, all_parameters
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import Progress, ProgressCallback


class Descent:
    """The steps of one adaptation.

    Args:
        segmenter: a private copy.
        parameters: those that `optimizer` trains: of the copy, and of heads beside it.
        optimizer: built on `parameters`.
        total: how many steps there will be.
        progress: called after every step.

    Attributes:
        history: the losses of every step so far, by name, with their sum as `"total"`.
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
        self.history: list[dict[str, float]] = []
        self._segmenter, self._parameters, self._optimizer = segmenter, parameters, optimizer
        self._total, self._progress = total, progress
        decoder = {id(parameter) for parameter in adaptable_parameters(segmenter)}
        encoder = {id(parameter) for parameter in all_parameters(segmenter)} - decoder
        self._is_encoder = [id(parameter) in encoder for parameter in parameters]
        self._reached = [False] * len(parameters)

    @property
    def losses(self) -> list[float]:
        """The sum of the losses of every step so far."""
        return [step["total"] for step in self.history]

    @property
    def note(self) -> str:
        """In plain words, which weights of the decoder no gradient has reached, or `""`."""
        named = {id(each): name for name, each in adaptable_state(self._segmenter).items()}
        trained = zip(self._parameters, self._reached, strict=True)
        missed = [named[id(each)] for each, ok in trained if not ok and id(each) in named]
        if not (missed and self.history):
            return ""
        shown = ", ".join(missed[:3]) + (", ..." if len(missed) > 3 else "")
        own = sum(id(each) in named for each in self._parameters)
        return f"no gradient reaches {len(missed)} of its {own} weights: {shown}"

    def step(self, losses: Mapping[str, Tensor]) -> None:
        """One step down the sum of some losses, each a scalar.

        Raises:
            AdaptationError: the sum is not finite, or no gradient reaches what is trained.
        """
        total = torch.stack(list(losses.values())).sum()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        values["total"] = float(total.detach())
        if not torch.isfinite(total):
            rate = self._optimizer.param_groups[0]["lr"]
            raise AdaptationError(
                f"the loss of step {len(self.history)} is not finite: {values}. Lower "
                f"learning_rate (now {rate})."
            )
        gradients: Sequence[Tensor | None] = [None] * len(self._parameters)
        if total.requires_grad:
            with model_errors(self._segmenter, "the backward pass"):
                gradients = torch.autograd.grad(total, self._parameters, allow_unused=True)
        self._check(gradients)
        self._reached = [
            before or gradient is not None
            for before, gradient in zip(self._reached, gradients, strict=True)
        ]
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.history.append(values)
        self._progress(Progress("adapt", len(self.history), self._total, values["total"]))

    def _check(self, gradients: Sequence[Tensor | None]) -> None:
        encoder = [g for g, inside in zip(gradients, self._is_encoder, strict=True) if inside]
        if encoder and all(gradient is None for gradient in encoder):
            raise no_encoder_gradient(self._segmenter)
        if all(gradient is None for gradient in gradients):
            modules = self._segmenter.adaptable_modules().items()
            shown = ", ".join(f"{name} ({type(module).__name__})" for name, module in modules)
            raise AdaptationError(
                f"no gradient reaches the {len(gradients)} trained parameters of "
                f"{type(self._segmenter).__name__}, in {shown}: decode runs without gradients "
                "(torch.no_grad, torch.inference_mode or detach), or does not use them. Take that "
                "out, or adapt other modules."
            )


def no_encoder_gradient(segmenter: Segmenter) -> AdaptationError:
    """The error for an encoder that is to be trained and cannot be."""
    return AdaptationError(
        f"no gradient reaches the trained parameters of the encoder: encode of "
        f"{type(segmenter).__name__} runs without gradients (torch.no_grad, torch.inference_mode "
        "or detach). Take that out of encode, since gradients are switched off around it wherever "
        "none are wanted; or train the decoder alone, where the method has a scope."
    )
