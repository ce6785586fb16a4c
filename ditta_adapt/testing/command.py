"""The command `ditta-adapt check`: run the conformance checks on an adapter."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ditta_adapt.errors import InputError
from ditta_adapt.segmenter import is_segmenter
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
        metavar="package.module:factory",
        help="what returns a fresh adapter: a function or class that takes no arguments",
    )
    parser.add_argument(
        "--kind",
        choices=("segmenter", "propagator"),
        help="by default found by building an adapter",
    )


def run(options: argparse.Namespace) -> int:
    """Check, and print the table.

    Args:
        options: with `factory` and `kind`, as the parser gives them.

    Returns:
        The exit status: 0 if nothing failed, else 1.

    Raises:
        InputError: the factory cannot be found or imported, or its kind cannot be told.
    """
    with _importable_folder(os.getcwd()):
        factory = find_factory(options.factory)
        kind = options.kind or kind_of(factory)
        check = check_segmenter if kind == "segmenter" else check_propagator
        report = check(factory, on_fail="report")
    print(report)
    return 0 if report.ok else 1


def find_factory(spec: str) -> Callable[[], Any]:
    """Import what `"package.module:name"` names; the name may have dots.

    Raises:
        InputError: a malformed spec, a module that cannot be imported, no such name in it, or
            something that cannot be called.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise InputError(
            f"{spec!r} does not name a factory; expected package.module:factory, such as "
            "my_adapter:make_segmenter."
        )
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}. Modules are looked "
            "for in the current folder and among the installed packages."
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            names = [public for public in vars(found) if not public.startswith("_")]
            raise InputError(f"{module_name!r} has no {name!r}; it has {names[:12]}.")
        found = getattr(found, part)
    is_class = isinstance(found, type)
    is_adapter = is_segmenter(found) or hasattr(found, "open")
    if not callable(found) or (is_adapter and not is_class):
        raise InputError(
            f"{spec} is a {type(found).__name__}; expected a function or class without arguments "
            f"that returns a fresh adapter, such as def make(): return {name}."
        )
    factory: Callable[[], Any] = found
    return factory


@contextmanager
def _importable_folder(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
