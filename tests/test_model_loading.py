"""A model by the name of a checkpoint."""

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.model_loading import load_segmenter
from ditta_adapt.models.parameters import weight_hash


def test_a_folder_is_loaded_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_demo_model().save_pretrained(tmp_path)
    capsys.readouterr()
    loaded = load_segmenter(str(tmp_path))
    assert capsys.readouterr() == ("", "")
    assert weight_hash(loaded) == weight_hash(load_segmenter("demo"))
