"""The command line: `ditta-adapt`."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from ditta_adapt.errors import DittaError
from ditta_adapt.evaluation import command as evaluation
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
    parser = argparse.ArgumentParser(prog="ditta-adapt", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo", help="adapt a small SegFormer to a shifted video and compare it with itself"
    )
    demo.add_argument("--video", type=Path, help="your own clip instead of the generated one")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), help="folder to write to")
    demo.add_argument("--propagator", nargs="+", help="propagators (default: flow sam2-small)")
    evaluation.add_parser(commands)
    conformance.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        if options.command == "check":
            return conformance.run(options)
        if options.command == "eval":
            return evaluation.run(options)
        # Imported here: the demo brings OpenCV and transformers.
        from ditta_adapt.demo.program import PROPAGATORS, run_demo

        run_demo(options.output, options.video, options.propagator or PROPAGATORS)
    except DittaError as error:
        print(f"ditta-adapt: {error}", file=sys.stderr)
        return 2
    return 0
