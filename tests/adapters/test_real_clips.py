"""Model and teacher of other people's libraries, together on a real clip."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.davis import data_root
from ditta_adapt import AdaptConfig, MaskVote, wrap
from ditta_adapt.adapters.mask2former import Mask2FormerSegmenter
from ditta_adapt.adapters.ocrnet import OCRNetSegmenter
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.io.video import read_video
from tests.adapters.mask2former_models import small_mask2former
from tests.adapters.ocrnet_models import ocrnet, old_library
from tests.adapters.sam2_video_models import small_model

# Untrained models are sure of nothing: prompt them wherever they are least unsure.
MASKS = AdaptConfig(targets=MaskVote(prompt_threshold=0.0, max_objects=3), safety=None)


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    try:
        path = data_root() / "clips" / "08_driving.mp4"
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return list(islice(read_video(path, max_side=160), 7))


def adapts_and_streams(segmenter: Any, clip: list[np.ndarray], **options: Any) -> None:
    model = wrap(segmenter, **options)
    report = model.adapt(clip[:5])
    assert report.adapted, report.reason
    for frame in clip[5:]:
        labels = model(frame)
        assert labels.shape == frame.shape[:2]
        assert labels.dtype == torch.int64


@pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")
def test_segformer_with_sam2_of_transformers(clip: list[np.ndarray]) -> None:
    teacher = Sam2TransformersPropagator(small_model())
    segmenter = SegformerSegmenter(load_demo_model())
    adapts_and_streams(segmenter, clip, propagator=teacher, config=MASKS)


def test_segformer_with_sam2_of_its_package(clip: list[np.ndarray]) -> None:
    pytest.importorskip("sam2", reason="the sam2 package is not installed")
    from ditta_adapt.adapters.sam2 import SAM2Propagator
    from tests.adapters.sam2_package_models import small_predictor

    segmenter = SegformerSegmenter(load_demo_model())
    teacher = SAM2Propagator(small_predictor())
    adapts_and_streams(segmenter, clip, propagator=teacher, config=MASKS)


@pytest.mark.parametrize("preset", [AdaptConfig(safety=None), MASKS], ids=["default", "masks"])
@pytest.mark.parametrize(
    "build",
    [
        lambda models: OCRNetSegmenter(ocrnet(models)),
        lambda _: Mask2FormerSegmenter(small_mask2former()),
    ],
    ids=["OCRNet", "Mask2Former"],
)
def test_other_models_with_flow(
    build: Callable[[Any], Any], preset: AdaptConfig, clip: list[np.ndarray], models: Any
) -> None:
    with old_library():
        adapts_and_streams(build(models), clip, propagator="flow", config=preset)
