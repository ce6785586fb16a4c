"""Draw the rooms of the library into docs/architecture.md, from its imports and docstrings.

python -m tools.draw_rooms
"""

import ast
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tools.page import replace_part, rewrite
from tools.rooms import FRONT_DOOR, LIBRARY, ORDER, ROOT, imports, modules, needs, room_of

PAGE = ROOT / "docs" / "architecture.md"

_WIDTH = 96


def drawn(page: str) -> str:
    """The page with both of its parts drawn anew."""
    files = modules()
    page = replace_part(page, "drawing", drawing(files))
    return replace_part(page, "modules", table(files))


def drawing(files: Mapping[str, Path]) -> str:
    """Every room with one line on what lives there and arrows to the rooms it builds on."""
    rooms = reduced(needs(imports(files)))
    column = max(map(len, rooms)) + 2
    lines = ["```text"]
    for number, row in enumerate(ORDER, 1):
        for room in row:
            label = f"{number if room == row[0] else '':>2}  {room + ' ':.<{column}} "
            what = summary(files[_module_of(room)])
            margin = " " * len(label)
            lines += textwrap.wrap(what, _WIDTH, initial_indent=label, subsequent_indent=margin)
            if rooms[room]:
                below = ", ".join(sorted(rooms[room], key=_place))
                arrow = f"{margin}──► "
                lines += textwrap.wrap(
                    below, _WIDTH, initial_indent=arrow, subsequent_indent=f"{margin}    "
                )
        lines.append("")
    return "\n".join([*lines[:-1], "```"])


def table(files: Mapping[str, Path]) -> str:
    """Every module of the rooms that are folders, with one line on what it is for."""
    lines = ["| room | module | what it is for |", "|---|---|---|"]
    for room in (room for row in ORDER for room in row):
        for module in files:
            inner = module.removeprefix(f"{_module_of(room)}.")
            if room != FRONT_DOOR and room_of(module) == room and inner != module:
                lines.append(f"| `{room}` | `{inner}` | {summary(files[module])} |")
    return "\n".join(lines)


def summary(path: Path) -> str:
    """The first paragraph of a file's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def reduced(rooms: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same rooms without the arrows that follow from others (transitive reduction)."""
    return {
        room: {
            below for below in direct if not any(below in _under(rooms, other) for other in direct)
        }
        for room, direct in rooms.items()
    }


def _under(rooms: Mapping[str, set[str]], room: str) -> set[str]:
    """All rooms that a room builds on, directly or not."""
    found: set[str] = set()
    waiting = set(rooms[room])
    while waiting:
        found |= waiting
        waiting = {below for one in waiting for below in rooms[one]} - found
    return found


def _module_of(room: str) -> str:
    return LIBRARY if room == FRONT_DOOR else f"{LIBRARY}.{room}"


def _place(room: str) -> int:
    return [room for row in ORDER for room in row].index(room)


if __name__ == "__main__":
    rewrite(PAGE, drawn)
