"""A model by the name of a checkpoint."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers")

from ditta_adapt import InputError
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


def test_weights_are_cast_and_moved_to_the_fastest_device() -> None:
    segmenter = load_segmenter("demo", "auto", dtype=torch.bfloat16)
    weights = next(segmenter.model.parameters())
    assert weights.dtype == torch.bfloat16
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert torch.backends.mps.is_available() or weights.device.type == expected


def test_a_segmenter_stays_as_it_is() -> None:
    assert load_segmenter("tests.toys:toy_segmenter", "auto").num_classes == 4
    with pytest.raises(InputError, match=r"is not cast to torch\.float16; make it of that dtype"):
        load_segmenter("tests.toys:toy_segmenter", dtype=torch.float16)
