"""Where there is no GPU, a compiled model is the model itself, and says so."""

import pytest
import torch

from ditta_adapt import AdaptConfig, HookedSegmenter, wrap
from ditta_adapt.models.compiled import CompiledSegmenter
from ditta_adapt.models.shown_at import takes_scale
from ditta_adapt.testing import check_segmenter
from tests.toys import ToyNet, toy_segmenter, toy_video


def test_it_is_a_segmenter_like_its_own() -> None:
    own = HookedSegmenter(ToyNet(), decoder="decoder", features="decoder.2")
    check_segmenter(lambda: CompiledSegmenter(own))
    compiled = CompiledSegmenter(own)
    assert compiled.adaptable_modules() == own.adaptable_modules()
    assert compiled.discovery is own.discovery
    # A second look asks by its signature.
    assert takes_scale(compiled)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_labels_are_the_same_and_the_report_says_why_nothing_is_gained() -> None:
    video = toy_video(8)
    found = []
    for compile in (False, True):
        model = wrap(toy_segmenter(), config=AdaptConfig(), compile=compile)
        report = model.adapt(video[:4])
        assert ("CUDA graphs need a GPU" in report.reason) == compile
        found.append(torch.stack([model(frame) for frame in video[4:]]))
    assert torch.equal(*found)
