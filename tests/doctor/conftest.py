"""Libraries made up for a test."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package with this program, and with what a distribution says of itself."""

    def installed(module: str, program: str = "", version: str = "1.5") -> None:
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text(program)
        about = tmp_path / f"{module}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n"
        )
        (about / "top_level.txt").write_text(module)
        # Whether or not the real one was imported, it is as before when the test ends.
        monkeypatch.setitem(sys.modules, module, None)
        del sys.modules[module]
        monkeypatch.syspath_prepend(tmp_path)

    return installed
