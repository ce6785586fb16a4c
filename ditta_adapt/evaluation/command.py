"""The command `ditta-adapt eval`: does it help, on which videos, and against what."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ditta_adapt.batch.engines import ENGINES, add_engine_options, check_engine_options
from ditta_adapt.datasets.opening import dataset_names
from ditta_adapt.datasets.readable import OnError
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.comparison import compare, render_comparison
from ditta_adapt.evaluation.evaluate import Plan, evaluate, run_here
from ditta_adapt.evaluation.gallery import find_failures, render_gallery
from ditta_adapt.evaluation.method_names import method_names
from ditta_adapt.evaluation.on_engine import OnEngine
from ditta_adapt.evaluation.planning import check_names, plan_of
from ditta_adapt.evaluation.result import VideoResult
from ditta_adapt.evaluation.scores import CHANGED, DEFAULT_SCORES, EXTRA_NAMES
from ditta_adapt.evaluation.table import classes_to_csv, pool, render, to_csv
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder, write_files


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "eval",
        help="compare methods on your videos",
        description="Run methods on a data set and print a table. A run that was stopped goes on "
        "when the same command is given again. Exit status 1 if a video failed.",
    )
    parser.add_argument(
        "--dataset",
        required=True,
        help=f"{', '.join(dataset_names())}, or package.module:factory",
    )
    parser.add_argument("--root", type=Path, required=True, help="where the data set lies")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the data set, such as split=train; may be repeated",
    )
    parser.add_argument(
        "--model",
        required=True,
        help="demo, package.module:factory, or a checkpoint of transformers",
    )
    parser.add_argument(
        "--class-map",
        metavar="MAP",
        help="for a model of other classes: vspw-cityscapes, ade20k-vspw, viper-cityscapes, "
        "synthia_seq-cityscapes, any of them the other way round, or a .toml file",
    )
    parser.add_argument("--domain", type=Path, metavar="DIR", help="what it learned of a domain")
    parser.add_argument("--aux", help="second, smaller model for auxadapt, named like --model")
    parser.add_argument(
        "--propagator", default="flow", help="name of a propagator, or package.module:factory"
    )
    parser.add_argument("--classifier", type=Path, help="classifier of masks, for i-sam2")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["image-model", "ditta"],
        help=f"{', '.join(method_names())}; refiner:KEY=VALUE,...; predictions:DIR; "
        "refined:METHOD; or package.module:factory",
    )
    parser.add_argument(
        "--warmup",
        nargs="+",
        default=["10%"],
        help="of each video: a share, 10%% or 0.1, or a number of frames, 8; 100%% for all",
    )
    parser.add_argument(
        "--corruption", nargs="+", default=[""], help="such as contrast:high; '' for none"
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=list(DEFAULT_SCORES),
        metavar="SCORE",
        help=f"columns of the table: {', '.join(DEFAULT_SCORES)} (default), mVC with any number of "
        f"frames, mAcc, {', '.join(EXTRA_NAMES)}, {CHANGED}",
    )
    parser.add_argument(
        "--failures",
        type=int,
        default=0,
        metavar="N",
        help="draw the N worst videos of each method at their worst frame, as failures.html",
    )
    parser.add_argument("--limit", type=int, help="only the first videos")
    parser.add_argument(
        "--on-error",
        choices=get_args(OnError),
        default="skip",
        help="frames that cannot be read are left out (skip), or their video fails (stop)",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="let workers evaluate, one on this machine or several on a cluster of Ray; by default "
        "this process does",
    )
    add_engine_options(parser)
    parser.add_argument("--device", help="where the model runs; by default where it is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder of results and tables")


def run(options: argparse.Namespace) -> int:
    """Evaluate, print the table, and write it as `table.md`, `table.csv` and `classes.csv`.

    Returns:
        The exit status: 0, or 1 if a video failed and the rest is done.

    Raises:
        DittaError: something named on the command line cannot be found, opened or used.
    """
    if options.failures < 0:
        raise InputError(f"--failures is {options.failures}; expected 0 or more videos.")
    check_engine_options(options)
    with importable_folder(os.getcwd()):
        check_names(options)
        check_output_folder(options.out)
        plan = plan_of(options)
        runner = run_here if options.engine is None else OnEngine(options)
        results = evaluate(plan, options.out, _Progress(), runner)
    scores = plan.scores
    rows, comparisons = pool(results, scores), compare(results)
    changed = CHANGED in scores.names
    text = render(rows, markdown=True, changed=changed) + "\n"
    text += render_comparison(comparisons, markdown=True)
    classes = classes_to_csv(results, plan.dataset.class_names)
    files = {"table.md": text, "table.csv": to_csv(rows), "classes.csv": classes}
    write_files({options.out / name: content for name, content in files.items()})
    print("\n" + render(rows, changed=changed) + "\n" + render_comparison(comparisons))
    with importable_folder(os.getcwd()):
        _write_failures(plan, results, options)
    return 1 if any(result.error for result in results) else 0


def _write_failures(
    plan: Plan, results: Sequence[VideoResult], options: argparse.Namespace
) -> None:
    if options.failures:
        failures = find_failures(plan, results, options.failures)
        write_files({options.out / "failures.html": render_gallery(failures)})


class _Progress:
    """A line a case on standard error: what was done, and how long the rest will take."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._count = 0

    def __call__(self, result: VideoResult, done: int, total: int) -> None:
        self._count += 1
        left = (time.monotonic() - self._start) / self._count * (total - done)
        width = round(20 * done / total)
        bar = "#" * width + "." * (20 - width)
        case = result.case
        condition = f"{case.warmup}{f' {case.corruption}' if case.corruption else ''}"
        counted = f"{result.frames} frames" + (f" ({result.unread})" if result.unread else "")
        outcome = f"failed: {result.error}" if result.error else counted
        print(
            f"[{bar}] {done}/{total}, {_clock(left)} left: {case.video}, {condition}, "
            f"{case.method}: {outcome}",
            file=sys.stderr,
            flush=True,
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
