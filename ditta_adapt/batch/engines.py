"""The engine that a command line names."""

import argparse
import os
from pathlib import Path

from ditta_adapt.batch.engine import Engine
from ditta_adapt.batch.local import LocalEngine
from ditta_adapt.batch.work import Work
from ditta_adapt.batch.worker import Worker
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import check_output_folder
from ditta_adapt.io.optional import require
from ditta_adapt.model_loading import AUTO

ENGINES = ("local", "ray")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add where workers run, how many, and what a task is allowed."""
    parser.add_argument(
        "--workers",
        type=int,
        help="that run at once; local: 1; ray: by default as many as the cluster has room for",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads of a worker, which results depend on (default: 1)",
    )
    parser.add_argument(
        "--gpus",
        type=float,
        help="that a worker of Ray reserves, 0.5 for two workers a GPU (default: 1, or 0 with "
        "--device cpu or where there is none)",
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="on a disk of each machine itself, where results lie until a video is done",
    )
    parser.add_argument(
        "--attempts", type=int, default=3, help="after so many failures a video is set aside"
    )
    parser.add_argument(
        "--time-limit", type=float, metavar="SECONDS", help="of a video; by default none"
    )


def check_engine_options(options: argparse.Namespace) -> None:
    """Refuse numbers that no engine can use.

    Raises:
        InputError: see there.
        MissingDependencyError: Ray is named and not installed.
    """
    for name in ("workers", "threads"):
        number = getattr(options, name)
        if number is not None and number < 1:
            raise InputError(f"--{name} is {number}; expected at least 1.")
    gpus = options.gpus
    if gpus is not None and not (0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer())):
        raise InputError(f"--gpus is {gpus}; expected 0, a part of one, or a whole number.")
    if options.scratch is not None:
        check_output_folder(options.scratch)
    if options.engine == "ray":
        require("ray")
    elif options.workers not in (None, 1):
        raise InputError(
            f"the local engine has one worker, not {options.workers}; pass --engine ray, which "
            "runs on this machine, too."
        )


def runs_on_gpu(device: str | None, gpus: int) -> bool:
    """Whether workers compute on GPUs.

    Args:
        device: that was asked for; none leaves models where they are made, which is the CPU.
        gpus: of the cluster.
    """
    return gpus > 0 if device == AUTO else (device or "").startswith("cuda")


def open_engine(work: Work, out: Path, options: argparse.Namespace) -> tuple[Engine, int]:
    """The engine that was asked for, and its number of workers.

    Args:
        work: of the workers.
        out: folder of all results.
        options: see `add_engine_options`; `engine`; and `device` as the model has it.

    Raises:
        InputError: the cluster cannot be joined, or has no room for one worker.
    """
    scratch = None if options.scratch is None else options.scratch.absolute()
    worker = Worker(work, out.absolute(), options.threads, os.getcwd(), scratch)
    if options.engine == "local":
        return LocalEngine(worker), 1
    from ditta_adapt.batch.on_ray import RayEngine, Size, cluster_resources, join_ray

    leave = join_ray()
    cpus, gpus = cluster_resources()
    reserved = options.gpus
    if reserved is None:
        reserved = 1.0 if runs_on_gpu(options.device, gpus) else 0.0
    workers = options.workers
    if workers is None:
        room = [cpus // options.threads] + ([int(gpus / reserved)] if reserved else [])
        workers = min(room)
        if workers < 1:
            raise InputError(
                f"the cluster has {cpus} CPUs and {gpus} GPUs, and one worker takes "
                f"{options.threads} and {reserved:g}; pass --workers, if it grows when asked, or "
                "other --threads or --gpus."
            )
    return RayEngine(worker, Size(options.threads, reserved), leave=leave), workers
