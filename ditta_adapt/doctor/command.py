"""The command `ditta-adapt doctor`: what can be used here, and what to install for the rest."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ditta_adapt.doctor.examine import examine
from ditta_adapt.doctor.finding import Finding, Status

_MARKS: dict[Status, str] = {"ok": "+", "missing": "-", "problem": "!"}


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="what can be used on this machine, and what to install for the rest",
        description="Look at libraries, devices, adapters and data sets, and print a table. Exit "
        "status 1 if something that is installed is broken.",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the model hub")
    parser.add_argument("--json", action="store_true", help="print a JSON list of all findings")


def run(options: argparse.Namespace) -> int:
    """Examine, and print what was found.

    Returns:
        The exit status: 1 if something that is installed is broken, else 0.
    """
    sections = examine(offline=options.offline)
    print(_as_json(sections) if options.json else render(sections))
    statuses = {finding.status for findings in sections.values() for finding in findings}
    return 1 if "problem" in statuses else 0


def render(sections: Mapping[str, Sequence[Finding]]) -> str:
    """A table: a line for each finding, and below it one for its remedy."""
    everything = [finding for findings in sections.values() for finding in findings]
    lines = []
    for title, findings in sections.items():
        width = max((len(finding.subject) for finding in findings), default=0)
        lines.append(title)
        for finding in findings:
            mark = _MARKS[finding.status]
            lines.append(f"  {mark} {finding.subject:{width}}  {finding.detail}")
            if finding.remedy:
                lines.append(f"    {'':{width}}  -> {finding.remedy}")
    counts = Counter(finding.status for finding in everything)
    summary = ", ".join(f"{mark} {counts[status]} {status}" for status, mark in _MARKS.items())
    return "\n".join([*lines, summary])


def _as_json(sections: Mapping[str, Sequence[Finding]]) -> str:
    rows = [
        {"section": title, **asdict(finding)}
        for title, findings in sections.items()
        for finding in findings
    ]
    return json.dumps(rows, indent=2)
