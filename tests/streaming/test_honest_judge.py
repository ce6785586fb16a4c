"""The judge where second looks themselves are bad."""

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

    def __init__(self, look: str) -> None:
        super().__init__(ToyNet().eval())
        self._look = look

    def preprocess(self, frames: Tensor, *, scale: float = 1.0) -> Tensor:
        images = super().preprocess(frames)
        if scale == 1:
            return images
        size = [round(side * scale) for side in frames.shape[2:]]
        images = torch.nn.functional.interpolate(images, size, mode="bilinear")
        return {"blank": torch.zeros_like, "negative": torch.neg}[self._look](images)


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
