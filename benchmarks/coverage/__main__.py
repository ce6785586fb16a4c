"""Try `wrap` on networks with random weights, with nothing named, and print a table.

`--more package.module:factory` adds networks: the factory returns a network, or a mapping from
names to functions that make one. Their scores are read as `network.plain_scores` does.
"""

import argparse
import json
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from benchmarks.coverage import mmseg_networks, research_networks, transformers_networks
from benchmarks.coverage import torchvision_networks as tv
from benchmarks.coverage.measure import MOST_DISAGREEMENT, Row, measure
from benchmarks.coverage.network import Network
from ditta_adapt.io.factories import call_factory, importable_folder
from ditta_adapt.reporting.tables import markdown, plain

LIBRARIES = {
    "research": (research_networks.networks, ()),
    "transformers": (transformers_networks.networks, ("transformers", "scipy")),
    "mmseg": (mmseg_networks.networks, ("mmseg", "mmcv")),
    "torchvision": (tv.networks, ("torchvision", "timm", "segmentation_models_pytorch")),
}
HEADER = [
    "network",
    "found alone",
    "labels that differ",
    "conformance",
    "adapts, streams, saves",
    "frozen",
    "decode / whole",
    "wrap",
]


def main() -> int:
    """Print a row a network, then the table; exit status 1 if a row is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--only", default="", help="a regular expression of names of networks")
    parser.add_argument("--more", action="append", default=[], metavar="package.module:factory")
    parser.add_argument("--no-conformance", action="store_true", help="leave out the suite")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    # What libraries that are no longer maintained make use of.
    warnings.simplefilter("ignore")
    rows = []
    for network in chosen(options.libraries, options.more, options.only):
        row = measure(network, conformance=not options.no_conformance)
        print(line_of(row), flush=True)
        rows.append(row)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print("\n" + table(rows, as_markdown=options.markdown) + "\n\n" + summary(rows))
    return 0 if all(row.right for row in rows) else 1


def chosen(libraries: Iterable[str], more: Iterable[str], only: str) -> Iterator[Network]:
    """The networks asked for, of what is installed."""
    for library in libraries:
        networks, needs = LIBRARIES[library]
        missing = [name for name in needs if find_spec(name) is None]
        if missing:
            print(f"{library}: {', '.join(missing)} not installed, left out", file=sys.stderr)
            continue
        for network in networks():
            if re.search(only, f"{network.library} {network.name}"):
                yield network
    with importable_folder(os.getcwd()):
        for spec in more:
            found = call_factory(spec)
            if isinstance(found, nn.Module):
                found = {spec: lambda model=found: model}
            if not isinstance(found, Mapping):
                raise SystemExit(f"{spec} gave a {type(found).__name__}; expected networks by name")
            for name, make in found.items():
                yield Network("more", name, lambda make=make: make().eval())


def line_of(row: Row) -> str:
    """One network in a line."""
    mark = "ok " if row.right else "BAD"
    if not row.found:
        return f"{mark} {row.library}, {row.name}: refused: {row.said}"
    checks = f"; fails {', '.join(row.failed_checks)}" if row.failed_checks else ""
    said = f"; {row.said}" if row.said else ""
    return (
        f"{mark} {row.library}, {row.name}: {row.disagreement:.2%} of the labels differ, "
        f"{row.frozen_work:.0%} frozen, decode {row.decode_time:.2f}, {row.seconds:.1f} s"
        f"{checks}{said}"
    )


def table(rows: list[Row], *, as_markdown: bool) -> str:
    """All networks."""
    lines = [HEADER]
    for row in rows:
        name = f"{row.library}: {row.name}"
        if not row.found:
            lines.append([name, "refused" if not row.expected else "no", *[""] * 6])
            continue
        checks = "not run"
        if row.failed_checks is not None:
            checks = ", ".join(row.failed_checks) or "all"
        lines.append(
            [
                name,
                "yes",
                f"{row.disagreement:.2%}",
                checks,
                "yes" if row.adapts else "no",
                f"{row.frozen_work:.0%}",
                f"{row.decode_time:.2f}",
                f"{row.seconds:.1f} s",
            ]
        )
    return (markdown if as_markdown else plain)(lines)


def summary(rows: list[Row]) -> str:
    """Counts, the worst first."""
    found = [row for row in rows if row.found]
    wrong = [row for row in found if row.disagreement > MOST_DISAGREEMENT]
    refused = [row for row in rows if not row.found]
    return (
        f"{len(rows)} networks: {len(found)} wrapped with nothing named, {len(wrong)} of them "
        f"silently different from their own labels; {len(refused)} refused, "
        f"{sum(row.expected for row in refused)} of which should have been taken; "
        f"{sum(row.right for row in rows)} rows as they should be"
    )


if __name__ == "__main__":
    sys.exit(main())
