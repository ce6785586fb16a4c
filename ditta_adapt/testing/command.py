"""The command `ditta-adapt check`: run the conformance checks on an adapter."""

import argparse
import os
from collections.abc import Callable
from typing import Any

from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import find_factory, importable_folder
from ditta_adapt.model_loading import check_model_name, load_segmenter
from ditta_adapt.models.description import describe
from ditta_adapt.models.segmenter import is_segmenter
from ditta_adapt.testing.kind import kind_of
from ditta_adapt.testing.propagator_suite import check_propagator
from ditta_adapt.testing.segmenter_suite import check_segmenter


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="check an adapter against its protocol",
        description="Check an adapter, rule by rule, and print a table. Exit status 1 on failure.",
    )
    parser.add_argument(
        "factory",
        nargs="?",
        metavar="package.module:factory",
        help="what returns a fresh adapter: a function or class that takes no arguments",
    )
    parser.add_argument(
        "--model",
        help="a model in place of an adapter: demo, package.module:factory, or a checkpoint of "
        "transformers",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="only say what of the model is frozen and adapted, and how images are prepared",
    )
    parser.add_argument(
        "--kind",
        choices=("segmenter", "propagator"),
        help="by default found by building an adapter",
    )


def run(options: argparse.Namespace) -> int:
    """Check, and print the table.

    Args:
        options: as the parser gives them.

    Returns:
        The exit status: 0 if nothing failed, else 1.

    Raises:
        InputError: neither or both of `factory` and `model`; one of them cannot be found or
            imported, or its kind cannot be told.
    """
    if (options.factory is None) == (options.model is None):
        raise InputError("give either package.module:factory of an adapter, or --model; not both.")
    with importable_folder(os.getcwd()):
        if options.model is not None:
            check_model_name(options.model)
            segmenter = load_segmenter(options.model)
            if options.explain:
                print(describe(segmenter))
                return 0
            report = check_segmenter(lambda: segmenter, on_fail="report")
        else:
            factory = _find_adapter_factory(options.factory)
            kind = options.kind or kind_of(factory)
            if options.explain:
                _check_explainable(kind)
                print(describe(factory()))
                return 0
            check = check_segmenter if kind == "segmenter" else check_propagator
            report = check(factory, on_fail="report")
    print(report)
    return 0 if report.ok else 1


def _check_explainable(kind: str) -> None:
    if kind != "segmenter":
        raise InputError(f"--explain is about segmenters; this is a {kind}.")


def _find_adapter_factory(spec: str) -> Callable[[], Any]:
    factory = find_factory(spec)
    # A segmenter may itself be a module, and so can be called.
    is_adapter = is_segmenter(factory) or hasattr(factory, "open")
    if is_adapter and not isinstance(factory, type):
        name = spec.partition(":")[2]
        raise InputError(
            f"{spec} is a {type(factory).__name__}; expected a function or class without arguments "
            f"that returns a fresh adapter, such as def make(): return {name}."
        )
    return factory
