"""The judge where nothing can be known, and where second looks themselves are bad."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, SecondLook, WarpedVotes, wrap
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import ToyNet, ToySegmenter, toy_video

LOOK = SecondLook(warmup_scales=(0.5, 2.0), scales=(0.5, 2.0), first=(1, 2, 4, 8), budget=0.0)
SIZE = (32, 48)


class Bad(ToySegmenter):
    """Sees frames at their usual size; at others, what `look` makes of them."""

    def __init__(self, look: str, seed: int = 0) -> None:
        super().__init__(ToyNet(seed).eval())
        self._look = look
        self._generator = torch.Generator().manual_seed(seed)

    def preprocess(self, frames: Tensor, *, scale: float = 1.0) -> Tensor:
        images = super().preprocess(frames)
        if scale == 1:
            return images
        size = [round(side * scale) for side in frames.shape[2:]]
        images = torch.nn.functional.interpolate(images, size, mode="bilinear")
        if self._look == "noise":
            return torch.rand(images.shape, generator=self._generator) * 2 - 1
        return {"blank": torch.zeros_like, "negative": torch.neg}[self._look](images)


def share_of(speaker: str, segmenter: ToySegmenter, frames: list[np.ndarray]) -> float:
    """How many of the streamed frames somebody speaks on."""
    model = wrap(segmenter, propagator=ShiftPropagator(step=-2), config=AdaptConfig(look=LOOK))
    model.adapt(frames[:4])
    spoke = []
    for frame in frames[4:]:
        spoke.append(model.speaker)
        model(frame)
    return spoke.count(speaker) / len(spoke)


@pytest.mark.parametrize("seed", range(3))
def test_looks_that_are_noise_let_nothing_through(seed: int) -> None:
    """A model that says something else at every size: no candidate can agree with that."""
    segmenter = Bad("noise", seed)
    assert share_of("image model", segmenter, toy_video(24, SIZE, seed)) >= 0.75


@pytest.mark.parametrize("look", ["blank", "negative"])
def test_bad_looks_are_believed_and_cost_what_the_candidates_cost(look: str) -> None:
    """A judge is as good as its looks: bad ones choose blindly among the same three candidates."""
    frames = toy_video(20, SIZE)
    model = wrap(Bad(look), propagator=ShiftPropagator(step=-2), config=AdaptConfig(look=LOOK))
    model.adapt(frames[:4])
    forced = {
        name: wrap(
            Bad(look),
            propagator=ShiftPropagator(step=-2),
            config=AdaptConfig(look=LOOK, safety=None, **options),
        )
        for name, options in (
            ("adapted", {}),
            ("memory", {"targets": None, "memory": WarpedVotes()}),
        )
    }
    for each in forced.values():
        each.adapt(frames[:4])
    plain = wrap(Bad(look))
    for frame in frames[4:]:
        speaker, labels = model.speaker, model(frame)
        shown = {name: each(frame) for name, each in forced.items()}
        if speaker == "image model":
            assert torch.equal(labels, plain(frame))
        else:
            assert (labels == shown[speaker]).float().mean() > 0.8
