"""The methods on a small SegFormer: layer norms in the encoder, one batch norm in the head."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import SegformerForSemanticSegmentation

from ditta_adapt.baselines import AuxAdapt, CoTTA, ImageModel, Tent
from tests.adapters.test_segformer import small_model
from tests.baselines.test_methods import same, scores_of
from tests.models.test_isolation import assert_same, snapshot
from tests.toys import toy_video

MAKE: dict[str, Callable[[Any], Any]] = {
    "tent": Tent.original,
    "tent-segmentation": Tent.for_segmentation,
    "tent-decoder": lambda model: Tent(model, scope="decoder"),
    "cotta": lambda model: CoTTA(model, scales=(0.5, 1.0, 1.5)),
    "cotta-decoder": lambda model: CoTTA(model, scope="decoder", scales=(0.5, 1.0, 1.5)),
    "auxadapt": lambda model: AuxAdapt(model, small_model(seed=1)),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_adapts_and_is_reset(make: Callable[[Any], Any]) -> None:
    model, frames = small_model(), toy_video(3, size=(64, 70))
    method = make(model)
    before, random_state = snapshot(model), torch.get_rng_state()
    start = scores_of(method, frames)
    assert len(method.adapt(frames[:2])) == 2
    assert not same(scores_of(method, frames), start)
    assert method(frames[2]).shape == (64, 70)
    method.reset()
    assert same(scores_of(method, frames), start)
    assert_same(snapshot(model), before)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_the_image_model_is_the_model_itself() -> None:
    model, frames = small_model(), toy_video(1, size=(64, 70))
    method = ImageModel(model)
    images = method.segmenter.preprocess(torch.from_numpy(frames[0]).permute(2, 0, 1)[None])
    with torch.no_grad():
        logits = model(images).logits
    logits = torch.nn.functional.interpolate(logits, (64, 70), mode="bilinear")
    assert torch.equal(method(frames[0]), logits[0].argmax(0))


def test_tent_trains_what_is_called_norm() -> None:
    """The program for segmentation picks parameters whose name holds "norm" or "bn"."""
    model: SegformerForSemanticSegmentation = small_model()
    method = Tent(model, learning_rate=1e-3, statistics="running")
    method.adapt(toy_video(2, size=(64, 70)))
    later, start = method._answer.segmenter.model.state_dict(), model.state_dict()
    moved = {name for name, value in later.items() if not torch.equal(value, start[name])}
    called = {n for n, _ in model.named_parameters() if "norm" in n or "bn" in n}
    assert moved <= called
    assert len(called) - len(moved) <= 2  # A shift may make no difference to the answer.
    assert "decode_head.batch_norm.weight" in moved
    assert any(name.startswith("segformer") for name in moved)
