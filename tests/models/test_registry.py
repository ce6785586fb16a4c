"""`wrap` finds the right adapter, and says what to do where there is none."""

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest
from torch import nn

from ditta_adapt import (
    HookedSegmenter,
    InputError,
    SegmenterError,
    UnknownModelError,
    wrap,
)
from ditta_adapt.models.registry import SEGMENTERS, _adapted
from ditta_adapt.teachers.registry import PROPAGATORS
from tests.toys import ToyNet, toy_segmenter


def test_segmenter_is_taken_as_it_is() -> None:
    segmenter = toy_segmenter()
    assert wrap(segmenter).segmenter is segmenter


def test_any_other_module_is_looked_at() -> None:
    segmenter = wrap(ToyNet()).segmenter
    assert isinstance(segmenter, HookedSegmenter)
    assert set(segmenter.adaptable_modules()) == {"decoder"}


@pytest.mark.parametrize("model", [None, 3, "model", len])
def test_things_that_are_no_model(model: object) -> None:
    with pytest.raises(UnknownModelError, match=r"expected a torch.nn.Module.*four|decode"):
        wrap(model)


def test_a_module_without_weights(unchecked: None) -> None:
    with pytest.raises(SegmenterError, match="no gradient passes"):
        wrap(nn.Identity())


def test_a_model_of_another_task() -> None:
    from transformers import GLPNConfig, GLPNForDepthEstimation

    config = GLPNConfig(hidden_sizes=[8, 16, 20, 24], depths=[1] * 4, decoder_hidden_size=16)
    with pytest.raises(UnknownModelError, match=r"GLPNForDepthEstimation does not label pixels"):
        wrap(GLPNForDepthEstimation(config))


def test_options_belong_to_models() -> None:
    with pytest.raises(InputError, match=r"processor.*is a segmenter"):
        wrap(toy_segmenter(), processor={"do_normalize": False})
    with pytest.raises(InputError, match=r"threshold is 1.5; expected a probability"):
        wrap(ToyNet(), threshold=1.5)

    class Rigid:
        """An adapter of somebody else's."""

        def __init__(self, model: nn.Module) -> None:
            raise AssertionError("it was called")

    with pytest.raises(InputError, match=r"Rigid, the adapter for ToyNet, takes no threshold"):
        _adapted(Rigid, ToyNet(), {"threshold": 0.3})
    with pytest.raises(InputError, match=r"processor is a int"):
        wrap(ToyNet(), processor=3)


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
