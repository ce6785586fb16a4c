"""The notebook of the examples runs from its first cell to its last, but for the one that installs.

It runs where `make test-notebook` has put nbclient and a kernel on the path.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
NEEDED = ("nbclient", "nbformat", "ipykernel", "matplotlib")
MISSING = [name for name in NEEDED if find_spec(name) is None]

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: make test-notebook installs them"
)


@pytest.fixture(scope="module")
def notebook() -> Any:
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


@pytest.fixture(scope="module")
def outputs(notebook: Any, tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """What every code cell but the first shows. Nothing is found where the kernel starts."""
    from nbclient import NotebookClient

    with pytest.MonkeyPatch.context() as patch:
        # Settings of whoever runs the tests have no say.
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        # What tqdm says where there are no widgets; it is not the notebook's.
        patch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")
        folder = str(tmp_path_factory.mktemp("elsewhere"))
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            skip_cells_with_tag="install",
            resources={"metadata": {"path": folder}},
        ).execute()
    _, *cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [cell.outputs for cell in cells]


def test_it_is_kept_without_outputs_and_installs_first() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    first, *others = (cell for cell in cells if cell["cell_type"] == "code")
    assert first["metadata"]["tags"] == ["install"]
    assert first["source"][0].startswith("%pip install")
    assert not any(cell["metadata"] for cell in others)
    assert not any(cell["outputs"] for cell in (first, *others))


def test_it_shows_pictures(outputs: list[list[Any]]) -> None:
    kinds = [kind for cell in outputs for output in cell for kind in output.get("data", {})]
    assert kinds.count("image/png") == 2


def test_it_prints_the_report_and_says_that_it_helps(outputs: list[list[Any]]) -> None:
    streams = [output for cell in outputs for output in cell if output.output_type == "stream"]
    # A warning would be shown to the user, too.
    assert {stream.name for stream in streams} == {"stdout"}
    text = "".join(stream.text for stream in streams)
    assert "8 warm-up frames" in text
    assert "OpticalFlowPropagator" in text
    right, flicker = {}, {}
    for line in text.splitlines():
        name, *words = line.split()
        if name in ("before", "after"):
            right[name], flicker[name] = (float(words[place].rstrip("%")) for place in (1, 3))
    assert right["after"] > right["before"]
    assert flicker["after"] < flicker["before"]
