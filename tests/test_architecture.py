"""The rooms of the library keep their order, stay small, and are drawn as they are."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tools import draw_rooms
from tools.page import exists, missing_paths, names_in, replace_part
from tools.rooms import LIBRARY, ORDER, ROOT, Import, breaches, imports, modules, needs, room_of

FOLDERS = (".ci", "adapters", "benchmarks", "ditta_adapt", "examples", "tools")
MOST_LINES = 300
MOST_MODULES = 20


@pytest.fixture(scope="module")
def own() -> list[Import]:
    """All imports of the library."""
    return imports(modules())


def test_rooms_import_only_rooms_before_them(own: list[Import]) -> None:
    assert breaches(own) == []


def test_every_room_has_a_place_and_every_place_a_room() -> None:
    placed = [room for row in ORDER for room in row]
    assert len(set(placed)) == len(placed)
    assert set(placed) == {room_of(module) for module in modules()}


@pytest.mark.parametrize(
    "program",
    [
        "from ditta_adapt.streaming.stream import Stream",
        "from ditta_adapt.streaming import stream",
        "from ditta_adapt import streaming",
        "import numpy, ditta_adapt.streaming.stream as later",
        "from ..streaming.stream import Stream",
        "from .. import streaming",
        "def late():\n    from ditta_adapt.streaming.stream import Stream",
        "if TYPE_CHECKING:\n    from ditta_adapt.streaming.stream import Stream",
        'import_module("ditta_adapt.streaming.stream")',
        'importlib.import_module("ditta_adapt.streaming.stream")',
        "from ditta_adapt import Stream",
        "import ditta_adapt",
        "from ditta_adapt.adapters.segformer import SegformerSegmenter",
        "from ditta_adapt.attic import old",
    ],
)
def test_an_import_against_the_order_is_found(tmp_path: Path, program: str) -> None:
    assert len(found(tmp_path, {"ditta_adapt/targets/build.py": program})) == 1


@pytest.mark.parametrize(
    "program",
    [
        "import numpy, torch.nn.functional",
        "import ditta_adapt_extras",
        "from ditta_adapt.targets.stream import streaming",
        "from . import stream",
        "from ..models.segmenter import Segmenter",
        "from ditta_adapt import models",
        'entry_points(group="ditta_adapt.streaming")',
    ],
)
def test_an_import_in_order_is_not_found(tmp_path: Path, program: str) -> None:
    assert found(tmp_path, {"ditta_adapt/targets/build.py": program}) == []


def test_rooms_of_one_row_do_not_import_each_other(tmp_path: Path) -> None:
    program = "from ditta_adapt.errors import ShapeError\nfrom ditta_adapt.reliability import R"
    (problem,) = found(tmp_path, {"ditta_adapt/fusion.py": program})
    assert "ditta_adapt.fusion, line 2, imports ditta_adapt.reliability" in problem


def test_the_door_opens_to_adapters_alone(tmp_path: Path) -> None:
    files = {
        "adapters/segformer.py": "from ditta_adapt import Segmenter",
        "ditta_adapt/__init__.py": "from .testing import rule\nfrom ditta_adapt.io import frames",
        "ditta_adapt/cli.py": "from ditta_adapt.adapters import segformer",
    }
    (problem,) = found(tmp_path, files)
    assert "ditta_adapt.cli, line 1" in problem


def found(root: Path, programs: Mapping[str, str]) -> list[str]:
    """Breaches in a small library with one room or two."""
    files = dict.fromkeys(
        (
            "ditta_adapt/__init__.py",
            "ditta_adapt/models/__init__.py",
            "ditta_adapt/streaming/__init__.py",
            "ditta_adapt/streaming/stream.py",
            "adapters/__init__.py",
        ),
        "",
    )
    for name, program in (files | dict(programs)).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program, "utf-8")
    return breaches(imports(modules(root)))


def test_few_modules_stand_outside_of_folders() -> None:
    assert len(list((ROOT / LIBRARY).glob("*.py"))) <= MOST_MODULES


def test_files_are_short() -> None:
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_arrows_that_follow_from_others_are_left_out() -> None:
    rooms = {"c": {"b", "a"}, "b": {"a"}, "a": set(), "d": {"a"}}
    assert draw_rooms.reduced(rooms) == {"c": {"b"}, "b": {"a"}, "a": set(), "d": {"a"}}


def test_arrows_are_imports(own: list[Import]) -> None:
    rooms = needs(own)
    assert {"models", "teachers", "config"} <= rooms["targets"]
    assert rooms["errors"] == set()


def test_the_page_is_up_to_date() -> None:
    page = draw_rooms.PAGE.read_text("utf-8")
    assert draw_rooms.drawn(page) == page, "run python -m tools.draw_rooms"


def test_what_the_page_names_exists() -> None:
    page = draw_rooms.PAGE.read_text("utf-8")
    for part in ("drawing", "modules"):
        page = replace_part(page, part, "")
    assert [name for name in names_in(page) if not exists(name)] == []
    assert len(names_in(page)) > 15
    assert missing_paths(page) == []


def test_what_does_not_exist_is_found() -> None:
    page = "`fusion.fuse()`, `fusion.melt`, `Checks.cut = 0.5`, `Checks.cure`, `ditta_adapt.models`"
    names = names_in(page)
    assert names == ["fusion.fuse", "fusion.melt", "Checks.cut", "Checks.cure"]
    assert [name for name in names if not exists(name)] == ["fusion.melt", "Checks.cure"]
    page = (
        "`tests/toys.py`, `tests/boys.py`, `docs/`, [a](safety.md#x), [b](danger.md), [c](http://x)"
    )
    assert missing_paths(page) == ["tests/boys.py", "danger.md"]


@pytest.mark.parametrize(
    "page", ["", "<!-- a -->", "<!-- end of a --><!-- a -->", 2 * "<!-- a --><!-- end of a -->"]
)
def test_a_page_without_the_part_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="the page needs one"):
        replace_part(page, "a", "text")
