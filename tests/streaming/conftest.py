"""Fixtures of the stream."""

import pytest


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that was never trained sees little at any size; it is looked at all the same."""
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *known: ())
