"""Progress bars of transformers: off while we load, and then as the caller had them."""

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from ditta_adapt import MissingDependencyError
from ditta_adapt.io.quiet import no_loading_bars

transformers = pytest.importorskip("transformers")

from huggingface_hub.utils import (  # noqa: E402
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from transformers.utils import logging  # noqa: E402


@pytest.fixture(autouse=True)
def switches() -> Iterator[None]:
    before = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    yield
    set_bars(*before)


def set_bars(weights: bool, downloads: bool) -> None:
    (logging.enable_progress_bar if weights else logging.disable_progress_bar)()
    (enable_progress_bars if downloads else disable_progress_bars)()


@pytest.mark.parametrize(("weights", "downloads"), [*product((True, False), repeat=2)])
@pytest.mark.parametrize("raises", [False, True])
def test_the_callers_setting_is_restored(weights: bool, downloads: bool, raises: bool) -> None:
    set_bars(weights, downloads)
    try:
        with no_loading_bars():
            assert not logging.is_progress_bar_enabled()
            assert are_progress_bars_disabled() is not downloads
            if raises:
                raise KeyError
    except KeyError:
        assert raises
    assert logging.is_progress_bar_enabled() is weights
    assert are_progress_bars_disabled() is not downloads


def test_loading_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = transformers.SegformerConfig(hidden_sizes=[8] * 4, depths=[1] * 4)
    transformers.SegformerModel(config).save_pretrained(tmp_path)
    set_bars(True, True)
    capfd.readouterr()
    transformers.AutoModel.from_pretrained(tmp_path)
    assert "Loading weights" in capfd.readouterr().err
    with no_loading_bars():
        transformers.AutoModel.from_pretrained(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers.utils.logging", None)
    with pytest.raises(MissingDependencyError, match=r"ditta-adapt\[hf\]"), no_loading_bars():
        pass
