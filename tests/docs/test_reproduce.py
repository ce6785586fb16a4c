"""The page of the sources' tables: it is drawn from its data, and its commands exist."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ditta_adapt.cli import _parser
from ditta_adapt.datasets.class_map import read_class_map
from ditta_adapt.datasets.opening import dataset_names
from ditta_adapt.evaluation.building import check_method
from ditta_adapt.evaluation.scores import Scores
from tools import draw_reproduce
from tools.draw_reproduce import TableRow, table_rows

ROWS = [row for row in table_rows() if row.command]


def test_the_page_is_drawn_from_its_data() -> None:
    page = draw_reproduce.PAGE.read_text("utf-8")
    assert draw_reproduce.drawn(page) == page, "run python -m tools.draw_reproduce"


def test_no_cell_is_empty() -> None:
    for row in table_rows():
        assert all((row.paper, row.table, row.rows, row.wants, row.here)), row
        assert row.command or row.here.startswith("not at hand: "), row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.paper[:8]}-{row.table}-{row.rows}")
def test_every_command_parses_and_names_what_exists(row: TableRow) -> None:
    program, *arguments = shlex.split(row.command)
    if program == "python":
        assert arguments[0] == "-m"
        source = importlib.import_module(arguments[1])
        path = Path(str(source.__file__))
        if path.name == "__init__.py":
            path = path.with_name("__main__.py")
        for option in (word for word in arguments[2:] if word.startswith("--")):
            assert f'"{option}"' in path.read_text("utf-8")
        for name in _named(arguments, "--teachers"):
            assert re.fullmatch(
                r"[a-z0-9-]+(\+(mask_cycle|entropy|mask_autoencoder)(:\d+)?)?", name
            )
        return
    assert program == "ditta-adapt"
    options = _parser().parse_args(arguments)
    for name in getattr(options, "methods", []):
        if "predictions:" not in name:
            check_method(name)
    if hasattr(options, "dataset"):
        assert options.dataset in dataset_names()
    if getattr(options, "class_map", None):
        read_class_map(options.class_map)
    if hasattr(options, "metrics"):
        Scores(tuple(options.metrics))


def _named(arguments: list[str], option: str) -> Iterator[str]:
    """The words behind an option."""
    found = False
    for word in arguments:
        if found and not word.startswith("--"):
            yield word
        elif word.startswith("--"):
            found = word == option
