"""Every Python snippet of the README runs, in order, as a new user would type them."""

import re
from functools import partial
from pathlib import Path

import pytest

from ditta_adapt.demo import scenes

README = Path(__file__).parents[1] / "README.md"


def test_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Smaller pictures: what is shown is how it is called.
    monkeypatch.setattr(scenes, "render_video", partial(scenes.render_video, size=(64, 112)))
    snippets = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    assert len(snippets) >= 3
    namespace: dict[str, object] = {"__name__": "readme"}
    for number, snippet in enumerate(snippets):
        exec(compile(snippet, f"README snippet {number}", "exec"), namespace)


def test_commands_exist() -> None:
    text = README.read_text("utf-8")
    makefile = (README.parent / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^make (\w+)", text, re.M))
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.M))
    programs = set(re.findall(r"python -m (benchmarks\.\w+)", text))
    assert "benchmarks.methods" in programs
    for program in programs:
        path = README.parent / program.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), program
