"""Pages of the documentation: parts that a script writes, and what they name."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tools.rooms import LIBRARY, ROOT

_NAME = re.compile(r"`(?!ditta_adapt\.)([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\)| = [^`]+)?`")
_PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.\w+)?)`")
_LINK = re.compile(r"\]\(([^)#:]+)[)#]")


def replace_part(page: str, name: str, text: str) -> str:
    """A page with other text between the comments `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        ValueError: the page has not exactly one such part.
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(start)
    _, _, after = rest.partition(end)
    if page.count(start) != 1 or page.count(end) != 1 or not rest.count(end):
        raise ValueError(f"the page needs one {start!r} and, after it, one {end!r}.")
    return f"{before}{start}\n{text.strip()}\n{end}{after}"


def rewrite(path: Path, drawn: Callable[[str], str]) -> None:
    """Write a page anew, and say whether anything changed."""
    page = path.read_text("utf-8")
    path.write_text(drawn(page), "utf-8")
    change = "is as it was" if drawn(page) == page else "written"
    print(f"{path.relative_to(ROOT)}: {change}")


def names_in(page: str) -> list[str]:
    """Dotted names in backticks, such as `fusion.fuse`, `AdaptConfig.paper()`, `Checks.cut = 0.5`.

    They are meant inside of `ditta_adapt`. Those that begin with it, such as groups of entry
    points, are left out.
    """
    return _NAME.findall(page)


def exists(name: str) -> bool:
    """Whether the library has what a dotted name says: a module, or something in one."""
    parts = [LIBRARY, *name.split(".")]
    for end in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def missing_paths(page: str) -> list[str]:
    """Paths in backticks, from the root, and links, from the folder `docs/`, that lead nowhere."""
    paths = [path for path in _PATH.findall(page) if not (ROOT / path).exists()]
    return paths + [link for link in _LINK.findall(page) if not (ROOT / "docs" / link).exists()]
