"""Every Python snippet of the README runs, in order, as a new user would type them."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    assert len(snippets) >= 3
    namespace: dict[str, object] = {"__name__": "readme"}
    for number, snippet in enumerate(snippets):
        exec(compile(snippet, f"README snippet {number}", "exec"), namespace)


def test_commands_exist() -> None:
    makefile = (README.parent / "Makefile").read_text("utf-8")
    commands = re.findall(r"^(make \w+|python -m benchmarks\.\w+)", README.read_text("utf-8"), re.M)
    assert {"make demo", "make test"} <= set(commands)
    for command in commands:
        tool, _, name = command.partition(" ")
        if tool == "make":
            assert re.search(rf"^{name}:", makefile, re.M), command
        else:
            module = name.removeprefix("-m ").replace(".", "/")
            assert (README.parent / f"{module}.py").exists(), command
