"""`wrap` finds the right adapter, and says what to do where there is none."""

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest
from torch import nn

from ditta_adapt import UnknownModelError, wrap
from ditta_adapt.models.registry import SEGMENTERS
from ditta_adapt.teachers.registry import PROPAGATORS
from tests.toys import ToyNet, toy_segmenter


def test_segmenter_is_taken_as_it_is() -> None:
    segmenter = toy_segmenter()
    assert wrap(segmenter).segmenter is segmenter


def test_unknown_model_shows_two_ways_on() -> None:
    with pytest.raises(UnknownModelError) as caught:
        wrap(ToyNet())
    message = str(caught.value)
    assert "ToyNet" in message
    assert "HookedSegmenter(" in message
    assert "write an adapter" in message
    assert "transformers.SegformerForSemanticSegmentation" in message


@pytest.mark.parametrize("model", [None, 3, "model", nn.Identity()])
def test_things_that_are_no_model(model: object) -> None:
    with pytest.raises(UnknownModelError):
        wrap(model)


def test_class_instead_of_instance() -> None:
    with pytest.raises(UnknownModelError, match="the class ToyNet"):
        wrap(ToyNet)


def test_importing_the_library_imports_no_model_zoo() -> None:
    program = (
        "import sys, ditta_adapt, ditta_adapt.cli, ditta_adapt.metrics\n"
        "zoo = {'transformers', 'sam2', 'mmseg', 'mmcv', 'cv2', 'av', 'PIL', 'torchvision'}\n"
        "loaded = zoo & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_adapters_folder_is_no_package_of_its_own() -> None:
    from pathlib import Path

    root = Path(__file__).parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r}); import adapters"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode != 0
    assert "ditta_adapt.adapters" in result.stderr


@pytest.mark.parametrize(
    "point",
    [point for group in (SEGMENTERS, PROPAGATORS) for point in entry_points(group=group)],
    ids=lambda point: point.name,
)
def test_every_registered_adapter_can_be_imported(point: EntryPoint) -> None:
    # A class, or what builds one.
    assert callable(point.load())


def test_transformers_models_find_their_adapter() -> None:
    """By the name of their class or of a base, without importing any adapter before."""
    from transformers import MaskFormerConfig, MaskFormerForInstanceSegmentation, SwinConfig

    pytest.importorskip("scipy", reason="transformers builds MaskFormer only with scipy")
    config = MaskFormerConfig(
        backbone_config=SwinConfig(
            embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], image_size=64
        ),
        num_labels=3,
    )
    config.decoder_config.encoder_layers = config.decoder_config.decoder_layers = 1

    class Mine(MaskFormerForInstanceSegmentation):
        pass

    assert type(wrap(Mine(config)).segmenter).__name__ == "Mask2FormerSegmenter"
