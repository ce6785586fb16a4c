"""Train a small SAM2 on generated clips: a teacher that fits into a package.

    python -m examples.train_small_sam2 --out runs/sam2
    torchrun --nproc-per-node 2 -m examples.train_small_sam2 --device cpu --out runs/sam2

The second form gives each of two cores a process. `--cutouts` takes a folder of images with alpha,
of which half of the objects are made; `cutouts.py` beside this file names one. `--weights` takes
weights that were trained before, such as `adapters/weights/sam2-small`, and trains them further on
the largest frames alone. A run that was stopped goes on when started again with the same arguments.
What it learned is measured by

    python -m benchmarks.small_sam2 --weights runs/sam2/weights
    DITTA_SAM2=runs/sam2/weights python -m pytest tests/adapters/test_trained_sam2.py

and used as a teacher by `Sam2TransformersPropagator(checkpoint="runs/sam2/weights")`. This is also
the worked example of training a teacher for a domain of your own: write your `make_clip`, which
returns frames and object masks, and change nothing else.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from examples.train_small_sam2.batches import Stage
from examples.train_small_sam2.cutouts import find_cutouts
from examples.train_small_sam2.export import export
from examples.train_small_sam2.training import Plan, train

# steps, side, frames, clips; clicks, forcing, balance, pace, forget
# Just under two hours on two cores, by the second of the commands above: 112 minutes were measured
# before every object was asked by a point, which takes about six more.
CPU_STAGES = (
    Stage(1200, 128, 2, 6, 0.15, 1.0, 0.5, 8),
    Stage(1500, 128, 4, 4, 0.25, 0.5, 0.4, 8, 0.2),
    Stage(700, 192, 5, 2, 0.35, 0.2, 0.2, 8, 0.3),
    Stage(500, 256, 5, 2, 0.35, 0.1, 0.0, 2, 0.1),
    Stage(650, 384, 5, 1, 0.35, 0.0, 0.0, 2, 0.1),
)
# With larger batches, larger frames and longer clips.
GPU_STAGES = (
    Stage(1500, 128, 2, 32, 0.15, 1.0, 0.5, 8),
    Stage(3000, 128, 4, 24, 0.3, 0.5, 0.4, 8, 0.2),
    Stage(4000, 256, 5, 12, 0.4, 0.1, 0.0, 2, 0.1),
    Stage(4000, 384, 8, 6, 0.4, 0.0, 0.0, 2, 0.1),
)
# Weights that were trained before need the stage of the largest frames alone, at half the rate that
# weights from scratch begin with.
_RATE = 4e-4
INPUT_SIDE = 448
"""Of the model that is written. No weight depends on it, and more pixels show more of an object."""


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.train_small_sam2",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, curve and weights")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the steps; above 1 for a longer run",
    )
    parser.add_argument("--weights", type=Path, help="folder of weights to go on from")
    parser.add_argument("--cutouts", type=Path, help="folder of images with alpha: more objects")
    parser.add_argument("--workers", type=int, help="data processes (default: 0 on a CPU, else 12)")
    options = parser.parse_args(arguments)
    if not 0 < options.share < float("inf"):
        parser.error("--share takes a number above 0")
    return options


def plan(options: argparse.Namespace, device: torch.device) -> Plan:
    """The run that options ask for on a device."""
    on_cpu = device.type == "cpu"
    stages, rate = CPU_STAGES if on_cpu else GPU_STAGES, Plan.learning_rate
    if options.weights:
        stages, rate = stages[-1:], _RATE
    workers = options.workers
    if workers is None:
        workers = 0 if on_cpu else 12
    return Plan(
        stages=tuple(stage.scaled(options.share) for stage in stages),
        seed=options.seed,
        learning_rate=rate,
        start=options.weights,
        workers=workers,
        cutouts=find_cutouts(options.cutouts) if options.cutouts else (),
    )


def main() -> None:
    """Train, then write the weights folder."""
    options = read()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    device = torch.device(options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = train(plan(options, device), options.out, device)
    if not dist.is_initialized() or dist.get_rank() == 0:
        export(weights, INPUT_SIDE, options.out)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
