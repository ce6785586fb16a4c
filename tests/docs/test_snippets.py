"""Every Python snippet of the pages for users runs, in order, as a new user would type them."""

import ast
import re
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.demo import scenes

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("index", "quick-start", "running", "concepts", "how-to")


# Checks of shapes would be most of the time, and a user runs without them.
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Smaller pictures: what is shown is how it is called.
    monkeypatch.setattr(scenes, "render_video", partial(scenes.render_video, size=(64, 112)))
    text = (DOCS / f"{page}.md").read_text("utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert snippets
    namespace: dict[str, object] = {"__name__": "docs"}
    for number, snippet in enumerate(snippets):
        exec(compile(snippet, f"{page}.md, snippet {number}", "exec"), namespace)


def test_numbers_of_the_home_page_are_those_that_were_measured() -> None:
    rows = re.findall(r"^\|.*\d\.\d.*\|$", (DOCS / "index.md").read_text("utf-8"), re.M)
    assert len(rows) == 3
    measured = (DOCS / "benchmarks.md").read_text("utf-8")
    assert [row for row in rows if row not in measured] == []


def test_install_commands_are_those_of_the_readme() -> None:
    commands = re.findall(r"^pip install .*$", (DOCS / "quick-start.md").read_text("utf-8"), re.M)
    assert commands
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [command for command in commands if command not in readme] == []


def test_quoted_messages_are_those_of_the_library() -> None:
    said = "\n".join(
        node.value
        for folder in ("ditta_adapt", "adapters")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    text = re.sub(r"\s+", " ", (DOCS / "troubleshooting.md").read_text("utf-8"))
    quoted = re.findall(r"\*\*`([^`]+)`", text) + re.findall(r"\| `([^`|]+)` \| ", text)
    assert len(quoted) > 20
    # What stands for the three dots is filled in, and a part of two words or more says enough.
    parts = {part.strip(" .'[]();,") for message in quoted for part in message.split("…")}
    assert [part for part in parts if " " in part and part not in said] == []
