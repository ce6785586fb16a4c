"""The documentation is built into a site without a warning, and the site needs nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]

# What a browser fetches by itself to show a page.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
NOT_LOADED = ("canonical", "next", "prev", "alternate")

pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings") is None,
    reason="mkdocs is not installed: make test-docs",
)


class Page(HTMLParser):
    """Where the links of a page lead, what it loads, and which anchors and formulas it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.formulas = 0
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.formulas += tag == "math"
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if (at := LOADED.get(tag)) in values and values.get("rel") not in NOT_LOADED:
            self.loaded.append(values[str(at)])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    # A page for addresses that do not exist has links from the root of a server.
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def test_every_page_is_there(pages: dict[Path, Page], site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert {path.relative_to(site).with_suffix(".md") for path in pages} == sources


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Page]) -> None:
    broken = [
        f"{path.name}: {link}"
        for path, page in pages.items()
        for link, target, anchor in _inner(path, page.links)
        if not target.exists() or (anchor and anchor not in pages[target].anchors)
    ]
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    for path, page in pages.items():
        assert [name for name in page.loaded if urlsplit(name).netloc] == [], path
        missing = [name for name, file, _ in _inner(path, page.loaded) if not file.exists()]
        assert missing == [], path
    for style in site.rglob("*.css"):
        text = style.read_text("utf-8")
        assert "url(http" not in text, style
        assert "@import" not in text, style


def test_formulas_are_shown_and_none_is_left_as_it_was_written(pages: dict[Path, Page]) -> None:
    of_equations = next(page for path, page in pages.items() if path.name == "equations.html")
    assert of_equations.formulas >= 6
    for path, page in pages.items():
        assert ".. math::" not in page.text, path
        assert "math:" not in page.text, path


def test_the_reference_has_every_public_name(pages: dict[Path, Page]) -> None:
    import ditta_adapt
    from ditta_adapt import baselines, datasets, evaluation, io, metrics, testing

    reference = {
        anchor.rpartition(".")[2]
        for path, page in pages.items()
        if path.parent.name == "api"
        for anchor in page.anchors
    }
    for module in (ditta_adapt, baselines, datasets, evaluation, io, metrics, testing):
        missing = set(module.__all__) - reference - {"__version__", "IGNORE", "WITHOUT_COUNTERPART"}
        assert missing == set(), module.__name__


def _inner(path: Path, links: list[str]) -> Iterator[tuple[str, Path, str]]:
    """The links that stay inside of the site: each with its file and its anchor."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            yield link, target / "index.html" if target.is_dir() else target, parts.fragment
