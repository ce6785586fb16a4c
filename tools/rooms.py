"""The rooms of the library in their order, and what its files import from each other.

A room is a folder or a file directly in `ditta_adapt/`; the folder `adapters/`, which is installed
as `ditta_adapt.adapters`, is one too.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = "ditta_adapt"
FRONT_DOOR = LIBRARY
"""The room of `ditta_adapt/__init__.py`."""

ORDER: tuple[tuple[str, ...], ...] = (
    ("errors", "clock", "version"),
    ("progress", "io"),
    ("attention", "fusion", "losses", "reliability", "scoring", "metrics"),
    ("ops",),
    ("config", "datasets", "corruptions"),
    ("models",),
    ("teachers",),
    ("targets",),
    ("training",),
    ("safety",),
    ("streaming",),
    ("report",),
    ("persistence", "adaptation"),
    ("keeping",),
    ("whole_video",),
    ("video_segmenter",),
    ("wrap",),
    ("baselines",),
    ("reporting",),
    ("demo",),
    ("model_loading",),
    ("running",),
    ("batch",),
    ("domain", "evaluation", "testing", "doctor"),
    (FRONT_DOOR,),
    ("adapters",),
    ("cli",),
)
"""A room imports only rooms of earlier rows: neither later ones nor others of its own row."""

FOUND_BY_NAME = frozenset({"adapters"})
"""Rooms that no other room imports: what is in them is found through entry points."""

_ROW = {room: number for number, row in enumerate(ORDER) for room in row}
_IMPORTERS = frozenset({"import_module", "__import__"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module of the library by another.

    Attributes:
        importer: the module that imports, such as `ditta_adapt.io.frames`.
        line: where it does.
        imported: the module that is imported; `ditta_adapt` is the front door.
    """

    importer: str
    line: int
    imported: str


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The file of every module of the library, by dotted name, in the order of names."""
    found: dict[str, Path] = {}
    for folder, package in ((LIBRARY, LIBRARY), ("adapters", f"{LIBRARY}.adapters")):
        for path in (root / folder).rglob("*.py"):
            parts = path.relative_to(root / folder).with_suffix("").parts
            inner = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *inner))] = path
    return dict(sorted(found.items()))


def room_of(module: str) -> str:
    """The room of a module of the library, given by its dotted name."""
    return module.split(".")[1] if "." in module else FRONT_DOOR


def imports(files: Mapping[str, Path]) -> list[Import]:
    """All imports of the library's modules in these files, also those inside functions.

    Args:
        files: of `modules`.
    """
    found = []
    for importer, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for line, name in _imported(node, importer, files):
                if name.partition(".")[0] == LIBRARY:
                    found.append(Import(importer, line, name))
    return found


def breaches(found: Iterable[Import]) -> list[str]:
    """In plain words, each import that goes against the order."""
    return [problem for one in found if (problem := _breach(one))]


def needs(found: Iterable[Import]) -> dict[str, set[str]]:
    """The rooms that each room imports; its own is left out."""
    rooms: dict[str, set[str]] = {room: set() for row in ORDER for room in row}
    for one in found:
        importer, imported = room_of(one.importer), room_of(one.imported)
        if importer != imported:
            rooms.setdefault(importer, set()).add(imported)
    return rooms


def _breach(one: Import) -> str:
    importer, imported = room_of(one.importer), room_of(one.imported)
    where = f"{one.importer}, line {one.line}, imports {one.imported}"
    if importer == imported:
        return ""
    for room in (importer, imported):
        if room not in _ROW:
            return f"{where}: room {room!r} has no place in tools.rooms.ORDER"
    if imported in FOUND_BY_NAME:
        return f"{where}: no room imports {imported!r}, whose content is found by entry points"
    if _ROW[imported] >= _ROW[importer]:
        return f"{where}: room {imported!r} does not come before room {importer!r}"
    return ""


def _imported(node: ast.AST, importer: str, files: Mapping[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and full name of each module that a node imports."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = [node.module] if node.module else []
        if node.level:
            package = importer.split(".")
            # A package is its own first level.
            up = node.level - (files[importer].name == "__init__.py")
            base = package[: len(package) - up] + base
        module = ".".join(base)
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            yield node.lineno, inner if inner in files else module
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        called = node.func.id if isinstance(node.func, ast.Name) else called
        if called in _IMPORTERS:
            yield node.lineno, str(node.args[0].value)
