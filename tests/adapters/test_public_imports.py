"""Adapters use nothing of the library but what third parties may use too."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import ditta_adapt.adapters

FOLDER = Path(str(ditta_adapt.adapters.__file__)).parent
OWN = "ditta_adapt.adapters"
PUBLIC = [
    "ditta_adapt",
    "ditta_adapt.io",
    "ditta_adapt.models",
    "ditta_adapt.teachers",
    "ditta_adapt.teachers.flow",
    "ditta_adapt.teachers.test_time",
]
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py"))


def breaches(program: str) -> Iterator[str]:
    """Imports in a program, also inside functions, of what is not public."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "ditta_adapt":
                    yield f"import {alias.name}"
            continue
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            # import_module("..."), require("..."), and whatever else is handed a module's name.
            module, names = str(node.args[0].value), ["*"]
        else:
            continue
        if module.startswith(".") and isinstance(node, ast.ImportFrom):
            yield f"from {module} import ..."
        if module.partition(".")[0] != "ditta_adapt" or f"{module}.".startswith(f"{OWN}."):
            continue
        public = import_module(module).__all__ if module in PUBLIC else ()
        yield from (f"from {module} import {name}" for name in names if name not in public)


@pytest.mark.parametrize("file", FILES)
def test_an_adapter_imports_public_names_only(file: str) -> None:
    assert list(breaches((FOLDER / file).read_text(encoding="utf-8"))) == []


def test_all_adapters_are_looked_at() -> None:
    assert {"segformer.py", "sam2/session.py", "sam2_transformers/runs.py"} <= set(FILES)


@pytest.mark.parametrize(
    "program",
    [
        "from ditta_adapt.teachers.live_frames import oldest_kept",
        "from ditta_adapt.teachers import live_frames",
        "from ditta_adapt import teachers",
        "from ditta_adapt.io import *",
        "import ditta_adapt.io.frames",
        "import numpy, ditta_adapt as library",
        "from ..io import require",
        "def late():\n    from ditta_adapt.errors import DittaError",
        'import_module("ditta_adapt.io.frames")',
    ],
)
def test_what_is_not_public_is_found(program: str) -> None:
    assert len(list(breaches(program))) == 1


def test_what_is_public_is_not_found() -> None:
    program = (
        "import torch\n"
        "from ditta_adapt import InputError, Masks\n"
        "from ditta_adapt.adapters.sam2.features import ImageFeatures\n"
        "from ditta_adapt.io import Frame, frame_to_tensor, require\n"
        "from ditta_adapt.models import IMAGENET_MEAN, Segmenter\n"
        "from ditta_adapt.teachers import BasePropagator, LiveFrames, oldest_kept\n"
        'require("cv2")\n'
    )
    assert list(breaches(program)) == []
