"""Draw docs/reproduce.md, every table of the sources and its command, from docs/reproduce.toml.

python -m tools.draw_reproduce
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from tools.page import replace_part, rewrite
from tools.rooms import ROOT

SOURCE, PAGE = ROOT / "docs" / "reproduce.toml", ROOT / "docs" / "reproduce.md"


@dataclass(frozen=True, slots=True)
class TableRow:
    """Rows of a published table.

    Attributes:
        paper: that has it.
        table: which one.
        rows: of it.
        command: that makes them here, or `""`.
        wants: what data and weights it takes.
        here: what came of it, or why nothing did.
    """

    paper: str
    table: str
    rows: str
    command: str
    wants: str
    here: str


def table_rows() -> Iterator[TableRow]:
    """All of them, in order."""
    for paper in tomllib.loads(SOURCE.read_text("utf-8"))["paper"]:
        for row in paper["row"]:
            yield TableRow(paper=paper["name"], **row)


def drawn(page: str) -> str:
    """The page with the tables drawn anew."""
    return replace_part(page, "tables", "\n".join(_lines()))


def _lines() -> Iterator[str]:
    paper = ""
    for number, row in enumerate(table_rows()):
        if row.paper != paper:
            paper = row.paper
            yield f"{chr(10) if number else ''}## {paper}\n"
            yield "| table | rows | command | wants | here |"
            yield "|---|---|---|---|---|"
        command = f"`{row.command}`" if row.command else "none"
        yield f"| {row.table} | {row.rows} | {command} | {row.wants} | {row.here} |"


if __name__ == "__main__":
    rewrite(PAGE, drawn)
