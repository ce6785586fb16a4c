"""These tests run where `make test-libraries` has put the libraries on the path."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.coverage.torchvision_networks import make_importable

NEEDED = ("torchvision", "timm", "segmentation_models_pytorch")
MISSING = [name for name in NEEDED if find_spec(name) is None]

if not MISSING:
    make_importable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        reason = f"{', '.join(MISSING)} not installed: make test-libraries installs them"
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason=reason))
