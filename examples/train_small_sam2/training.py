"""The training loop: stages, an averaged model, checkpoints to go on from."""

import json
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm
from transformers import Sam2VideoModel

from ditta_adapt.errors import InputError
from examples.train_small_sam2.batches import Batch, Stage, batches
from examples.train_small_sam2.configuration import small_config
from examples.train_small_sam2.evaluation import evaluate
from examples.train_small_sam2.losses import frame_loss
from examples.train_small_sam2.muon import Muon
from examples.train_small_sam2.start import new_model, trained_model
from examples.train_small_sam2.tracking import ClipTracker, Followed

_WEIGHTS = {"mask": 1.0, "iou": 1.0, "score": 0.3}
_WARM_UP, _CLIP = 100, 1.0
_SMALLEST_MATRIX = 16


@dataclass(frozen=True)
class Plan:
    """Everything a run depends on.

    Attributes:
        stages: in order; the learning rate falls over all of them.
        seed: of weights, data and dropout.
        learning_rate: of Muon and AdamW, at its peak.
        average: rate of the exponential moving average of the weights.
        workers: processes that make data, a training process; 0 makes it in place.
        every: steps between two lines of the curve.
        cutouts: pictures that objects are made of, see `make_clip`.
        start: folder of weights to go on from; none begins from scratch.
    """

    stages: tuple[Stage, ...]
    seed: int = 0
    learning_rate: float = 8e-4
    average: float = 0.998
    workers: int = 0
    every: int = 600
    cutouts: tuple[Path, ...] = ()
    start: Path | None = None

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def course(self) -> str:
        """What the weights depend on."""
        pictures = [path.name for path in self.cutouts]
        begun = (self.seed, self.learning_rate, self.average, self.start and str(self.start))
        return repr((self.stages, *begun, pictures))

    def rate(self, step: int) -> float:
        """Learning rate of a step: a short rise, then a straight line down to 0."""
        rise = min((step + 1) / _WARM_UP, 1.0)
        return self.learning_rate * rise * (1 - step / self.steps)


@dataclass
class _Run:
    """What is saved and loaded to go on with a run."""

    plan: Plan
    model: Sam2VideoModel
    averaged: dict[str, Tensor]
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        state = {key: getattr(self, key) for key in ("averaged", "step", "seconds", "curve")}
        state["model"] = self.model.state_dict()
        state["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        state["plan"] = self.plan.course
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True, map_location=self.model.device)
        if state["plan"] != self.plan.course:
            raise InputError(
                f"{path} was begun with other stages, seed, weights or pictures: train with the "
                "arguments it was begun with, or into another folder"
            )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.averaged = state["averaged"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def train(plan: Plan, out: Path, device: torch.device) -> dict[str, Tensor]:
    """Train, or go on training, and return the averaged weights.

    One process a core is faster than one process with two threads; started by `torchrun`, the
    processes share every step: each makes its own clips and the gradients are averaged.
    """
    rank = dist.get_rank() if dist.is_initialized() else 0
    world = dist.get_world_size() if dist.is_initialized() else 1
    run = _start(plan, device)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file():
        run.load(checkpoint)
        print(f"going on from step {run.step}", flush=True)
    begin = 0
    for stage in plan.stages:
        end = begin + stage.steps
        if run.step < end:
            _train_stage(run, plan, stage, range(run.step, end), device, (rank, world), out)
        begin = end
    return run.averaged


def averaged_model(weights: dict[str, Tensor], side: int) -> Sam2VideoModel:
    """A model of input size `side` with given weights, in eval mode, on the CPU."""
    model = Sam2VideoModel(small_config(side))
    model.load_state_dict({name: tensor.cpu() for name, tensor in weights.items()})
    return model.eval()


def _start(plan: Plan, device: torch.device) -> _Run:
    config = small_config(plan.stages[0].side)
    model = trained_model(config, plan.start) if plan.start else new_model(config, plan.seed)
    model = model.to(device)
    layers = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    matrices = {id(weight) for weight in layers if min(weight.shape) >= _SMALLEST_MATRIX}
    rest = [p for p in model.parameters() if id(p) not in matrices]
    optimizers = (
        Muon([p for p in model.parameters() if id(p) in matrices], plan.learning_rate),
        torch.optim.AdamW(rest, plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01),
    )
    averaged = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return _Run(plan, model, averaged, optimizers)


def _train_stage(
    run: _Run,
    plan: Plan,
    stage: Stage,
    steps: range,
    device: torch.device,
    place: tuple[int, int],
    out: Path,
) -> None:
    rank, world = place
    tracker = ClipTracker(_resized(run.model, stage.side))
    sums: dict[str, float] = {}
    count = 0
    start = time.perf_counter()
    data = batches(stage, (plan.seed, rank), steps, plan.workers, plan.cutouts)
    bar = tqdm(
        zip(steps, data, strict=True),
        desc=f"{stage.frames} frames of {stage.side} px",
        total=len(steps),
        unit="step",
        # None: only where somebody looks, not in a file.
        disable=None if rank == 0 else True,
    )
    for step, batch in bar:
        # At every step, so that a run that goes on draws what it would have drawn.
        torch.manual_seed(hash((plan.seed, rank, step)))
        losses = _step(run, plan, stage, tracker, batch.to(device), world)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value
        count += 1
        run.step = step + 1
        if run.step % plan.every == 0 or run.step == steps.stop:
            run.seconds += time.perf_counter() - start
            start = time.perf_counter()
            if rank == 0:
                _report(run, plan, stage, {k: v / count for k, v in sums.items()}, out)
            sums, count = {}, 0


def _step(
    run: _Run, plan: Plan, stage: Stage, tracker: ClipTracker, batch: Batch, world: int
) -> dict[str, float]:
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(run.step)
        optimizer.zero_grad()
    # On a CPU bfloat16 is emulated, and slower.
    cuda = batch.frames.is_cuda
    with torch.autocast("cuda", torch.bfloat16) if cuda else nullcontext():
        followed = tracker.run(
            batch.images, batch.prompts, batch.truth.float(), stage.forcing, stage.forget
        )
    losses = _clip_losses(followed, batch.truth, stage.clicks, stage.balance)
    torch.stack([_WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()
    parameters = list(run.model.parameters())
    _average_gradients(parameters, world)
    nn.utils.clip_grad_norm_(parameters, _CLIP)
    for optimizer in run.optimizers:
        optimizer.step()
    with torch.no_grad():
        for name, tensor in run.model.state_dict().items():
            # The average forgets its random start quickly.
            rate = min(plan.average, (1 + run.step) / (10 + run.step))
            run.averaged[name].lerp_(tensor, 1 - rate)
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _clip_losses(
    followed: Followed, truth: Tensor, clicks: float, balance: float
) -> dict[str, Tensor]:
    """Losses of a batch, in which every object of every frame counts the same.

    Of the first frame there is an answer to a point alone, since a mask is taken as it is: it
    counts as much as the share of objects that are clicked, half of it the one mask, half the
    candidates.
    """
    first, *later = followed.frames
    answers = [(first, 0, clicks / 2), (followed.candidates, 0, clicks / 2)]
    answers += [(tracked, t, 1.0) for t, tracked in enumerate(later, 1)]
    total = sum(weight for _, _, weight in answers)
    losses: dict[str, Tensor] = {}
    for tracked, t, weight in answers:
        asked = frame_loss(tracked.float(), truth[:, t].float(), balance=balance)
        for name, loss in asked.items():
            losses[name] = losses.get(name, torch.zeros_like(loss)) + weight / total * loss
    return losses


def _average_gradients(parameters: list[nn.Parameter], world: int) -> None:
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    if world > 1:
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= world
        torch.nn.utils.vector_to_parameters(flat, [p.grad for p in parameters])


def _resized(model: Sam2VideoModel, side: int) -> Sam2VideoModel:
    """The same parameters in a model of another input size."""
    if model.config.image_size == side:
        return model.train()
    resized = Sam2VideoModel(small_config(side)).to(model.device).train()
    own = dict(model.named_parameters())
    for name in dict(resized.named_parameters()):
        parent, _, leaf = name.rpartition(".")
        setattr(resized.get_submodule(parent), leaf, own[name])
    buffers = dict(model.named_buffers())
    for place in ("shared_image_embedding", "prompt_encoder.shared_embedding"):
        resized.get_submodule(place).positional_embedding.copy_(
            buffers[f"{place}.positional_embedding"]
        )
    return resized


def _report(run: _Run, plan: Plan, stage: Stage, losses: dict[str, float], out: Path) -> None:
    """One line of the curve, on the screen and in files, and a checkpoint."""
    model = averaged_model(run.averaged, stage.side).to(run.model.device)
    line: dict[str, Any] = {"step": run.step, "minutes": run.seconds / 60, "side": stage.side}
    line |= losses | evaluate(model)
    run.curve.append(line)
    left = (plan.steps - run.step) * run.seconds / run.step / 60
    shown = "  ".join(f"{k} {v:.3f}" for k, v in line.items() if k not in ("step", "side"))
    tqdm.write(f"{run.step}/{plan.steps}  {shown}  left {left:.0f} min")
    (out / "curve.json").write_text(json.dumps(run.curve, indent=1) + "\n", encoding="utf-8")
    run.save(out / "checkpoint.pt")
