"""The command `ditta-adapt eval`: does it help, on which videos, and against what."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ditta_adapt.baselines import MaskClassifier
from ditta_adapt.datasets import open_dataset
from ditta_adapt.datasets.opening import dataset_names
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.comparison import compare, render_comparison
from ditta_adapt.evaluation.evaluate import Plan, evaluate
from ditta_adapt.evaluation.method_names import Parts, check_method, method_names
from ditta_adapt.evaluation.model_loading import load_segmenter
from ditta_adapt.evaluation.result import VideoResult
from ditta_adapt.evaluation.table import pool, render, to_csv
from ditta_adapt.evaluation.warmup import parse_warmup
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.teachers.registry import find_propagator


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
    parser.add_argument("--aux", help="second, smaller model for auxadapt, named like --model")
    parser.add_argument(
        "--propagator", default="flow", help="name of a propagator, or package.module:factory"
    )
    parser.add_argument("--classifier", type=Path, help="classifier of masks, for i-sam2")
    parser.add_argument(
        "--methods", nargs="+", default=["image-model", "ditta"], help=", ".join(method_names())
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
    parser.add_argument("--limit", type=int, help="only the first videos")
    parser.add_argument("--device", help="where the model runs; by default where it is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder of results and tables")


def run(options: argparse.Namespace) -> int:
    """Evaluate, print the table, and write it as `table.md` and `table.csv`.

    Returns:
        The exit status: 0, or 1 if a video failed.

    Raises:
        DittaError: something named on the command line cannot be found, opened or used.
    """
    # Before a large model is loaded.
    for method in options.methods:
        check_method(method)
    warmups = [parse_warmup(text) for text in options.warmup]
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out} is a file; expected a folder, or nothing yet.")
    origin = {
        name: str(getattr(options, name)) for name in ("dataset", "root", "option", "propagator")
    }
    with importable_folder(os.getcwd()):
        plan = Plan(
            dataset=open_dataset(options.dataset, options.root, **_options(options.option)),
            parts=Parts(
                segmenter=load_segmenter(options.model, options.device),
                propagator=find_propagator(options.propagator),
                seed=options.seed,
                aux=load_segmenter(options.aux, options.device) if options.aux else None,
                classifier=_classifier(options.classifier),
            ),
            methods=options.methods,
            warmups=warmups,
            corruptions=options.corruption,
            limit=options.limit,
            origin=origin,
        )
        results = evaluate(plan, options.out, _Progress())
    rows, comparisons = pool(results), compare(results)
    print("\n" + render(rows) + "\n" + render_comparison(comparisons))
    text = render(rows, markdown=True) + "\n" + render_comparison(comparisons, markdown=True)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    (options.out / "table.csv").write_text(to_csv(rows), encoding="utf-8")
    return 1 if any(result.error for result in results) else 0


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
        outcome = f"failed: {result.error}" if result.error else f"{result.frames} frames"
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


def _options(pairs: list[str]) -> dict[str, Any]:
    """Options of a data set; a value that reads as JSON is taken as such."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError(f"--option {pair!r} is not KEY=VALUE, such as split=train.")
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options


def _classifier(path: Path | None) -> MaskClassifier | None:
    return None if path is None else MaskClassifier.load(path)
