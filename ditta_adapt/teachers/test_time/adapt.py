"""Test-time training of a propagator on the very video that it is to follow."""

import copy
import time
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from ditta_adapt.config import Objective
from ditta_adapt.errors import AdaptationError, InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.models.caller_state import own_gradient_mode, without_autocast
from ditta_adapt.progress import Progress, ProgressCallback, silent
from ditta_adapt.teachers.checked_calls import open_session, propagator_errors
from ditta_adapt.teachers.propagator import Prompt, Propagator
from ditta_adapt.teachers.test_time.checks import check_training
from ditta_adapt.teachers.test_time.mask_network import Features
from ditta_adapt.teachers.test_time.objectives import (
    copy_loss,
    entropy_loss,
    mask_autoencoder_loss,
    mask_cycle_loss,
)
from ditta_adapt.teachers.test_time.propagator_report import PropagatorReport
from ditta_adapt.teachers.test_time.sequences import SHORTEST, Drawn, draw_sequence
from ditta_adapt.teachers.test_time.trainable import TrainableNetwork, TrainablePropagator

ROUND = 10
"""Steps with one optimiser, as in the authors' program."""
MOST: dict[Objective, int] = {"mask_cycle": 100, "entropy": 100, "mask_autoencoder": 20}
"""Steps of the paper."""
_HELD_OUT = 6
_WEIGHT_DECAY = 1e-7


def adapt_propagator(
    propagator: Propagator,
    frames: Sequence[Frame],
    masks: Tensor,
    *,
    objective: Objective = "mask_cycle",
    iterations: int | None = None,
    learning_rate: float | None = None,
    length: int = SHORTEST,
    jump: int | None = 10,
    seed: int = 0,
    progress: ProgressCallback = silent,
) -> tuple[Propagator, PropagatorReport]:
    """A propagator trained on a video, given the masks of its first frame.

    Adam, a new one every ten steps, one sequence of frames a step (see `draw_sequence`), from the
    weights that the propagator has. Unless told how many steps, it goes on while the cycle loss of
    held-out sequences falls, for at most as many steps as in the paper, and keeps the weights with
    the lowest. It ends when that loss is no more than `copy_loss`: a cycle cannot honestly close
    better than the masks it began with, as soft as they are on the network's grid.

    Args:
        propagator: a `TrainablePropagator`; it stays as it is.
        frames: the whole video that is to be followed.
        masks: `(K, H, W)` bool, of `K >= 1` objects in its first frame.
        objective: `"mask_cycle"`, `"entropy"` or `"mask_autoencoder"`; see there.
        iterations: how many steps, without any rule; none for the rule.
        learning_rate: of Adam, above 0; by default the network's own.
        length: frames of a sequence, 3 or more.
        jump: most frames from one of them to the next; with none, any frames.
        seed: of what is drawn.
        progress: called after every step.

    Returns:
        The trained propagator, and what was done. A video of fewer frames has no such sequence:
        the propagator comes back untrained, and the report says so.

    Raises:
        InputError: not trainable, or not by this objective; no frames, no masks, or masks that do
            not fit; a number out of range.
        AdaptationError: a loss is not finite.
        PropagationError: the propagator, or its features, raised.

    Source: Bertrand et al., "Test-time Training for Matching-based Video Object Segmentation",
    NeurIPS 2023. Other than there, which objects are visible where is asked once, before the first
    step.
    """
    check_training(propagator, frames, masks, objective, iterations, learning_rate, length, jump)
    assert isinstance(propagator, TrainablePropagator)
    if len(frames) < length and objective != "mask_autoencoder":
        reason = f"not trained: a video of {len(frames)} frames has no cycle of {length}"
        return propagator, PropagatorReport(objective, [], [], 0, 0.0, reason)
    with own_gradient_mode(), propagator_errors("its training"):
        run = _Run(propagator, frames, masks, objective, learning_rate, length, jump, seed)
        # It keeps casts of weights to its end, so that no step would see the one before.
        with without_autocast(run.device):
            return run.train(iterations, progress)


class _Run:
    """One training, from its first step to the trained propagator."""

    def __init__(
        self,
        propagator: TrainablePropagator,
        frames: Sequence[Frame],
        masks: Tensor,
        objective: Objective,
        learning_rate: float | None,
        length: int,
        jump: int | None,
        seed: int,
    ) -> None:
        self._started = time.perf_counter()
        self._propagator, self._frames, self._objective = propagator, frames, objective
        self._length, self._jump = length, jump
        self._random = np.random.default_rng(seed)
        self._network: TrainableNetwork = propagator.training_copy(frames)
        self._rate = learning_rate or self._network.learning_rate
        self._parameters = list(self._network.trained_by(objective))
        if not self._parameters:
            raise InputError(
                f"{type(propagator).__name__} has nothing that {objective!r} could train."
            )
        self._prepared: dict[int, Any] = {}
        self._masks = self._network.on_grid(masks)
        self.device = self._masks.device
        self._visible = np.ones((len(frames), len(masks)), bool)
        if objective == "mask_cycle":
            self._visible = _visible(propagator, frames, masks)
        self._held_out: list[Drawn] = []
        if len(frames) >= self._length:
            self._held_out = [self._draw() for _ in range(_HELD_OUT)]

    def train(
        self, iterations: int | None, progress: ProgressCallback
    ) -> tuple[Propagator, PropagatorReport]:
        most = MOST[self._objective] if iterations is None else iterations
        losses: list[float] = []
        judged = [self._judge()]
        fixed = iterations is not None or not self._held_out
        best, kept = 0, copy.deepcopy(dict(self._network.state_dict()))
        floor = self._floor()
        reason = f"all of {most} steps were taken"
        while len(losses) < most:
            if not fixed and judged[-1] <= floor:
                reason = f"after {best} steps the cycles held out close as well as a copy would"
                break
            optimizer = torch.optim.Adam(
                self._parameters, lr=self._rate, weight_decay=_WEIGHT_DECAY
            )
            for _ in range(min(ROUND, most - len(losses))):
                losses.append(self._step(optimizer, len(losses)))
                progress(Progress("adapt", len(losses), most))
            judged.append(self._judge())
            self._check_finite(judged[-1])
            if fixed or judged[-1] < min(judged[:-1]):
                best, kept = len(losses), copy.deepcopy(dict(self._network.state_dict()))
            elif judged[-1] > judged[-2]:
                reason = f"the cycles held out were best after {best} steps"
                break
        self._network.load_state_dict(kept)
        report = PropagatorReport(
            self._objective,
            losses,
            judged,
            best,
            time.perf_counter() - self._started,
            reason,
        )
        return self._propagator.trained(self._network), report

    def _check_finite(self, judged: float) -> None:
        weights = all(bool(each.isfinite().all()) for each in self._parameters)
        if not (isfinite(judged) and weights):
            raise AdaptationError(
                "after a round of steps the weights, or the loss of what was held out, are not "
                f"finite; expected numbers. Lower learning_rate, which is {self._rate}."
            )

    def _step(self, optimizer: torch.optim.Optimizer, number: int) -> float:
        loss = self._loss()
        if not bool(torch.isfinite(loss)):
            raise AdaptationError(
                f"the loss of step {number} is not finite; expected a number. Lower learning_rate, "
                f"which is {self._rate}."
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    def _loss(self) -> Tensor:
        if self._objective == "mask_autoencoder":
            return mask_autoencoder_loss(self._network, self._encoded(0)[0], self._masks)
        drawn = self._draw()
        given = self._given(drawn)
        return mask_cycle_loss(*given) if self._objective == "mask_cycle" else entropy_loss(*given)

    def _judge(self) -> float:
        """Mean cycle loss of the sequences that are held out; 0 where there are none."""
        if not self._held_out:
            return 0.0
        with torch.no_grad():
            losses = [mask_cycle_loss(*self._given(each)) for each in self._held_out]
        return float(torch.stack(losses).mean())

    def _floor(self) -> float:
        """Mean loss of a copy, of the objects that are judged."""
        copies = [copy_loss(self._masks[list(each.objects)]) for each in self._held_out]
        return float(np.mean(copies)) if copies else 0.0

    def _draw(self) -> Drawn:
        check = self._objective == "mask_cycle"
        for _ in range(20):
            drawn = draw_sequence(
                self._random, self._visible, length=self._length, jump=self._jump, check=check
            )
            if drawn not in self._held_out:
                break
        # In short videos there may be no others.
        return drawn

    def _given(self, drawn: Drawn) -> tuple[TrainableNetwork, list[Features], Tensor]:
        """What a loss is computed from."""
        features = self._encoded(0, *drawn.frames)
        return self._network, features, self._masks[list(drawn.objects)]

    def _encoded(self, *frames: int) -> list[Features]:
        for t in set(frames) - set(self._prepared):
            with torch.no_grad():
                frame = frame_to_tensor(self._frames[t], name=f"frame {t}")
                self._prepared[t] = self._network.prepare(frame)
        # Frame 0 may be there twice.
        once = {t: self._network.encode_frame(self._prepared[t]) for t in sorted(set(frames))}
        return [once[t] for t in frames]


def _visible(
    propagator: Propagator, frames: Sequence[Frame], masks: Bool[Tensor, "K H W"]
) -> Bool[np.ndarray, "T K"]:
    """Which objects the propagator sees in which frame."""
    seen = [masks.flatten(1).any(dim=1).cpu().numpy()]
    with open_session(propagator, frames) as session:
        prompts = [Prompt.on(mask, number) for number, mask in enumerate(masks.cpu(), start=1)]
        session.prompt(0, prompts)
        for t in range(1, len(frames)):
            found = session.propagate(t - 1, t).masks
            seen.append(found.flatten(1).any(dim=1).cpu().numpy())
    return np.stack(seen)
