"""The training loop: stages, an averaged network, checkpoints to go on from."""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from ditta_adapt.errors import InputError
from ditta_adapt.teachers.stcn.network import SpaceTimeNetwork
from ditta_adapt.teachers.stcn.shape import SMALL, StcnShape
from examples.train_small_sam2.batches import Stage, batches, collate
from examples.train_small_sam2.clips import held_out_clips
from examples.train_small_sam2.muon import Muon
from examples.train_small_stcn.following import clip_loss, follow

_WARM_UP, _CLIP = 100, 1.0


@dataclass(frozen=True)
class Plan:
    """Everything a run depends on.

    Attributes:
        stages: in order; the learning rate falls over all of them. In the last one batch
            normalisation stands still, as it does when the network is used.
        shape: of the network.
        seed: of weights and data.
        learning_rate: of Muon and AdamW, at its peak.
        average: rate of the exponential moving average of the weights.
        every: steps between two lines of the curve.
        cutouts: pictures that objects are made of, see `make_clip`.
    """

    stages: tuple[Stage, ...]
    shape: StcnShape = SMALL
    seed: int = 0
    learning_rate: float = 1e-3
    average: float = 0.998
    every: int = 300
    cutouts: tuple[Path, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def course(self) -> str:
        """What the weights depend on."""
        return repr(replace(self, every=0, cutouts=()).__dict__ | {"pictures": len(self.cutouts)})

    def rate(self, step: int) -> float:
        """Learning rate of a step: a short rise, then a straight line down to 0."""
        return self.learning_rate * min((step + 1) / _WARM_UP, 1.0) * (1 - step / self.steps)


@dataclass
class _Run:
    """What is saved and loaded to go on with a run."""

    plan: Plan
    network: SpaceTimeNetwork
    averaged: dict[str, Tensor]
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        state = {key: getattr(self, key) for key in ("averaged", "step", "seconds", "curve")}
        state["network"] = self.network.state_dict()
        state["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        state["plan"] = self.plan.course
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        if state["plan"] != self.plan.course:
            raise InputError(
                f"{path} was begun with other stages, seed or pictures: train with the arguments "
                "it was begun with, or into another folder"
            )
        self.network.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.averaged = state["averaged"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def train(plan: Plan, out: Path, device: torch.device) -> dict[str, Tensor]:
    """Train, or go on training, and return the averaged weights.

    Started by `torchrun`, processes share every step: each makes its own clips and the gradients
    are averaged. Statistics of batch normalisation are each one's own; those of the first are kept,
    so that a run of several processes that was stopped goes on to nearly the same weights only.
    """
    run = _start(plan, device)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file():
        run.load(checkpoint)
        print(f"going on from step {run.step}", flush=True)
    begin = 0
    for number, stage in enumerate(plan.stages, start=1):
        end = begin + stage.steps
        if run.step < end:
            still = number == len(plan.stages)
            _train_stage(run, stage, range(run.step, end), device, out, still=still)
        begin = end
    return run.averaged


def averaged_network(weights: dict[str, Tensor], shape: StcnShape) -> SpaceTimeNetwork:
    """A network with given weights, in eval mode, on the CPU."""
    network = SpaceTimeNetwork(shape)
    network.load_state_dict({name: tensor.cpu() for name, tensor in weights.items()})
    return network.eval()


@torch.no_grad()
def held_out_j(network: SpaceTimeNetwork, clips: int = 16) -> float:
    """Mean region similarity over the frames after the first, of objects in sight."""
    scores = []
    for frames, ids in held_out_clips(clips, num_frames=8, size=256, absent=0.3):
        batch = collate([(frames, ids)], np.random.default_rng(0), 0.0)
        found = follow(network, batch.images, batch.prompts.owner, batch.prompts.masks)
        for t, (logits,) in enumerate(found, 1):
            labels = logits.argmax(dim=0)
            for number, truth in enumerate(batch.truth[:, t], 1):
                if truth.any():
                    mask = labels == number
                    scores.append(float((mask & truth).sum() / (mask | truth).sum()))
    return sum(scores) / len(scores)


def _start(plan: Plan, device: torch.device) -> _Run:
    torch.manual_seed(plan.seed)
    network = SpaceTimeNetwork(plan.shape).to(device, memory_format=torch.channels_last)
    matrices = {id(p) for p in network.parameters() if p.ndim >= 2 and min(p.shape[:2]) >= 8}
    optimizers = (
        Muon([p for p in network.parameters() if id(p) in matrices], plan.learning_rate),
        torch.optim.AdamW(
            [p for p in network.parameters() if id(p) not in matrices],
            plan.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.01,
        ),
    )
    averaged = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return _Run(plan, network, averaged, optimizers)


def _train_stage(
    run: _Run, stage: Stage, steps: range, device: torch.device, out: Path, *, still: bool
) -> None:
    plan = run.plan
    rank = dist.get_rank() if dist.is_initialized() else 0
    run.network.train()
    if still:
        for module in run.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    losses: list[float] = []
    start = time.perf_counter()
    data = batches(stage, (plan.seed, rank), steps, 0, plan.cutouts)
    bar = tqdm(
        zip(steps, data, strict=True),
        desc=f"{stage.frames} frames of {stage.side} px",
        total=len(steps),
        unit="step",
        # None: only where somebody looks, not in a file.
        disable=None if rank == 0 else True,
    )
    for step, batch in bar:
        shown = batch.to(device)
        for optimizer in run.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step)
            optimizer.zero_grad()
        owner = shown.prompts.owner
        found = follow(run.network, shown.images, owner, shown.prompts.masks)
        loss = clip_loss(found, shown.truth, owner)
        loss.backward()
        _share_gradients(run.network)
        nn.utils.clip_grad_norm_(run.network.parameters(), _CLIP)
        for optimizer in run.optimizers:
            optimizer.step()
        _average(run, plan.average)
        losses.append(float(loss.detach()))
        run.step = step + 1
        if run.step % plan.every == 0 or run.step == steps.stop:
            run.seconds += time.perf_counter() - start
            start = time.perf_counter()
            if rank == 0:
                _report(run, stage, sum(losses) / len(losses), out)
            losses = []


@torch.no_grad()
def _average(run: _Run, most: float) -> None:
    # The average forgets its random start quickly.
    rate = min(most, (1 + run.step) / (10 + run.step))
    for name, tensor in run.network.state_dict().items():
        if tensor.is_floating_point():
            run.averaged[name].lerp_(tensor, 1 - rate)


def _share_gradients(network: nn.Module) -> None:
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, shared in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(shared.view_as(gradient))


def _report(run: _Run, stage: Stage, loss: float, out: Path) -> None:
    """One line of the curve, on the screen and in a file, and a checkpoint."""
    line = {
        "step": run.step,
        "minutes": run.seconds / 60,
        "side": stage.side,
        "loss": loss,
        "J": held_out_j(averaged_network(run.averaged, run.plan.shape)),
    }
    run.curve.append(line)
    left = (run.plan.steps - run.step) * run.seconds / run.step / 60
    shown = "  ".join(f"{name} {value:.3f}" for name, value in line.items() if name != "step")
    tqdm.write(f"{run.step}/{run.plan.steps}  {shown}  left {left:.0f} min")
    (out / "curve.json").write_text(json.dumps(run.curve, indent=1) + "\n", encoding="utf-8")
    run.save(out / "checkpoint.pt")
