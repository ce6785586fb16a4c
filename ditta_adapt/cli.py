# PYTHON_ARGCOMPLETE_OK
"""The command line: `ditta-adapt`."""

import argparse
import importlib.util
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from ditta_adapt.batch import command as batch
from ditta_adapt.doctor import command as doctor
from ditta_adapt.domain import command as domain
from ditta_adapt.errors import DittaError
from ditta_adapt.evaluation import command as evaluation
from ditta_adapt.running import command as running
from ditta_adapt.testing import command as conformance
from ditta_adapt.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0; 1 if some of the work failed, such as a video or a check; 2 if what was
        asked for is wrong, or cannot be written, with one line on standard error.
    """
    # A table is of more use with question marks than not at all.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    complete_in_shells(parser)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except DittaError as error:
        print(f"ditta-adapt: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ditta-adapt: interrupted", file=sys.stderr)
        return running.INTERRUPTED


def complete_in_shells(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks how a command goes on, if `argcomplete` is installed."""
    if importlib.util.find_spec("argcomplete") is not None:
        importlib.import_module("argcomplete").autocomplete(parser)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ditta-adapt",
        description="Video segmentation that does not flicker, from any image model.",
        epilog="First steps: ditta-adapt demo; then ditta-adapt run VIDEO --model MODEL --out DIR. "
        "Every command has a --help of its own.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo", help="adapt a small SegFormer to a shifted video and compare it with itself"
    )
    demo.add_argument("--video", type=Path, help="your own clip instead of the generated one")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), help="folder to write to")
    demo.add_argument("--propagator", nargs="+", help="propagators (default: flow sam2-small)")
    demo.set_defaults(run=_run_demo)
    for module in (running, batch, domain, evaluation, conformance, doctor):
        before = set(commands.choices)
        module.add_parser(commands)
        (name,) = set(commands.choices) - before
        commands.choices[name].set_defaults(run=module.run)
    return parser


def _run_demo(options: argparse.Namespace) -> int:
    # Imported here: the demo brings OpenCV and transformers.
    from ditta_adapt.demo.program import PROPAGATORS, run_demo

    run_demo(options.output, options.video, options.propagator or PROPAGATORS)
    return 0
