"""What tests of domains share."""

import pytest


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scale is doubted: of models with random weights any might be, and nothing be learned."""
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *arguments: ())
