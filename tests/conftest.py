"""Shapes written in the signatures are checked under test, and small models all tests share."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

import jaxtyping
from hypothesis import HealthCheck, settings

# Before the package is first imported, so that every annotated function is checked. On a machine
# that has a GPU and little else, tests run without.
if find_spec("beartype") is not None:
    jaxtyping.install_import_hook(
        "ditta_adapt", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
    )

import pytest

# No clock decides a test; and where a change is judged, the same examples every time.
settings.register_profile(
    "project",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("project")


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Shape checks off: to see what a user, who runs without them, gets for bad input."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
