"""Every adapter that comes with the library keeps the rules, on its library's real classes."""

from typing import Any

import pytest

from ditta_adapt.adapters.mask2former import Mask2FormerSegmenter
from ditta_adapt.adapters.ocrnet import OCRNetSegmenter
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.testing import CheckReport, check_propagator, check_segmenter
from tests.adapters.ocrnet_models import authors_ocrnet, ocrnet, old_library
from tests.adapters.sam2_video_models import small_model
from tests.adapters.small_sam2 import load_small_model

# A teacher with random weights does not follow what is clicked on; all else it must keep.
UNTRAINED = {"prompted_object": "random weights"}


def failures(report: CheckReport) -> dict[str, str]:
    return {result.name: result.message for result in report.failures}


@pytest.mark.parametrize("name", ["small_mask2former", "small_maskformer"])
def test_mask2former_and_maskformer(name: str) -> None:
    pytest.importorskip("scipy", reason="transformers builds them only with scipy")
    from tests.adapters import mask2former_models

    model = getattr(mask2former_models, name)()
    assert failures(check_segmenter(lambda: Mask2FormerSegmenter(model), on_fail="report")) == {}


def test_ocrnet_of_its_authors() -> None:
    model = authors_ocrnet()
    assert failures(check_segmenter(lambda: OCRNetSegmenter(model), on_fail="report")) == {}


def test_ocrnet_of_mmsegmentation(models: Any) -> None:
    model = ocrnet(models)
    with old_library():
        report = check_segmenter(lambda: OCRNetSegmenter(model), on_fail="report")
    assert failures(report) == {}


def test_sam2_of_transformers() -> None:
    # All rules on a still smaller input: they ask little of how well it follows.
    model = load_small_model(side=128)
    report = check_propagator(
        lambda: Sam2TransformersPropagator(model, mask_prompts=True), on_fail="report"
    )
    assert failures(report) == {}


@pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")
def test_edgetam_of_transformers() -> None:
    """The rules on what its own memories could break; for all others it is the same program."""
    model = small_model("EdgeTamVideo")
    report = check_propagator(
        lambda: Sam2TransformersPropagator(model),
        include=["masks", "late_object", "independent_sessions", "closing_frees", "live_frames"],
        on_fail="report",
    )
    assert failures(report) == {}


def test_sam2_of_transformers_from_points(small_sam2: Any) -> None:
    """The rules on what a prompt starts; for all others it is the same program."""
    report = check_propagator(
        lambda: Sam2TransformersPropagator(small_sam2, mask_prompts=False),
        include=["masks", "one_pixel", "prompted_object", "forward", "backward"],
        on_fail="report",
    )
    assert failures(report) == {}


def test_sam2_of_its_package() -> None:
    pytest.importorskip("sam2", reason="the sam2 package is not installed")
    from ditta_adapt.adapters.sam2 import SAM2Propagator
    from tests.adapters.sam2_package_models import small_predictor

    predictor = small_predictor()
    report = check_propagator(
        lambda: SAM2Propagator(predictor), on_fail="report", expected_failures=UNTRAINED
    )
    assert failures(report) == {}


def test_cutie_of_its_package() -> None:
    pytest.importorskip("cutie", reason="rf-cutie is not installed")
    from ditta_adapt.adapters.cutie import CutiePropagator
    from tests.adapters.cutie_networks import small_cutie

    unfit = ("forward", "backward", "leaving_object")
    report = check_propagator(
        lambda: CutiePropagator(small_cutie()),
        on_fail="report",
        # All objects share the pixels of a frame, so a new one takes some from the others.
        expected_failures=dict.fromkeys((*unfit, "late_object"), "random weights"),
    )
    assert failures(report) == {}
