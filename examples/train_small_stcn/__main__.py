"""Train a small space-time correspondence network on generated clips.

    python -m examples.train_small_stcn --out runs/stcn
    torchrun --nproc-per-node 2 -m examples.train_small_stcn --out runs/stcn

The second form gives each of two cores a process. Clips and `--cutouts` are those of
`examples/train_small_sam2`. A run that was stopped goes on when started again with the same
arguments. What it learned is written as `weights.safetensors`, used by
`StcnPropagator("runs/stcn/weights.safetensors")` and measured by

    python -m benchmarks.davis_vos --teachers stcn:runs/stcn/weights.safetensors
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from examples.train_small_sam2.batches import Stage
from examples.train_small_sam2.cutouts import find_cutouts
from examples.train_small_stcn.training import Plan, train

# steps, side, frames, clips; objects are shown by masks, and frames are far apart
STAGES = (
    Stage(1600, 128, 3, 4, 0.0, 1.0, 0.0, 8),
    Stage(500, 192, 4, 3, 0.0, 1.0, 0.0, 8),
    Stage(250, 256, 5, 2, 0.0, 1.0, 0.0, 8),
)


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.train_small_stcn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, curve and weights")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the steps; above 1 for a longer run"
    )
    parser.add_argument("--cutouts", type=Path, help="folder of images with alpha: more objects")
    options = parser.parse_args(arguments)
    if not 0 < options.share < float("inf"):
        parser.error("--share takes a number above 0")
    return options


def plan(options: argparse.Namespace) -> Plan:
    """The run that options ask for."""
    return Plan(
        stages=tuple(stage.scaled(options.share) for stage in STAGES),
        seed=options.seed,
        cutouts=find_cutouts(options.cutouts) if options.cutouts else (),
    )


def main() -> None:
    """Train, then write the weights."""
    options = read()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    options.out.mkdir(parents=True, exist_ok=True)
    weights = train(plan(options), options.out, torch.device(options.device))
    if not dist.is_initialized() or dist.get_rank() == 0:
        half = {
            name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
            for name, tensor in weights.items()
        }
        save_file(half, options.out / "weights.safetensors")
        print(f"wrote {options.out / 'weights.safetensors'}")
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
