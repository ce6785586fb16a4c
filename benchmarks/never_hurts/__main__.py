"""Does the default preset ever hurt? Many videos, networks and circumstances, by one command.

Collects once, judges offline: every case is run once and leaves a file with the labels of every
candidate, the second looks scale by scale and the truth (`collect`); every rule is then tried on
all of them in seconds (`judging`). Cases whose file is there are not run again, so a run that was
cut off goes on; one process a core.

    python -m benchmarks.never_hurts --out runs/never_hurts
    python -m benchmarks.never_hurts --out runs/never_hurts --set widths

The changes of the IoU are against the image model on the same frames: of the annotated object on
DAVIS, the mean over classes on generated scenes.
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.never_hurts.cases import SETS
from benchmarks.never_hurts.collect import run
from benchmarks.never_hurts.judging import Collected
from benchmarks.never_hurts.networks import trained
from benchmarks.never_hurts.table import report


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect what is missing, then print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.never_hurts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/never_hurts"))
    parser.add_argument("--set", choices=SETS, default="sample", help="which cases")
    parser.add_argument("--first", type=int, help="only so many of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--judge-only", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    cases = SETS[options.set]()[: options.first]
    failed = 0
    if not options.judge_only:
        for name in ("unet", "dilated"):
            if any(case.network == name for case in cases):
                trained(name, options.out)
        jobs = [(case, options.out) for case in cases]
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            for problem in pool.imap_unordered(run, jobs):
                if problem:
                    failed += 1
                    print(problem, file=sys.stderr, flush=True)
    paths = [options.out / f"{case.name}.npz" for case in cases]
    found = [Collected.read(path) for path in paths if path.is_file()]
    if not found:
        print("nothing was collected yet", file=sys.stderr)
        return 1
    print(report(found))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
