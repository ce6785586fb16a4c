"""Teachers that lie keep to the contract: what they tell is wrong, its form is not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

pytest.importorskip("cv2")

from benchmarks.adversaries import (
    LyingTeacher,
    ShiftedWarper,
    constant,
    random,
    shifted,
    shuffled,
)
from ditta_adapt import AdaptConfig, Prompt, Training, wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import render_video
from tests.toys import toy_segmenter, toy_video

FRAMES = toy_video(4, (48, 64))


@pytest.mark.parametrize("lie", [constant, random, shifted])
def test_lies_have_the_form_of_masks(lie: Callable[[Tensor, int], Tensor]) -> None:
    region = torch.zeros(48, 64, dtype=torch.bool)
    region[5:9, 5:9] = True
    with LyingTeacher(lie).open(FRAMES) as session:
        told = [session.prompt(0, [Prompt(1, (6, 6), region)]), session.propagate(0, 1)]
    for masks in told:
        assert masks.object_ids.tolist() == [1]
        assert masks.masks.shape == (1, 48, 64)
        assert masks.masks.any()
        assert not torch.equal(masks.masks[0], region)


def test_what_is_carried_lands_too_far_to_the_right() -> None:
    maps = torch.zeros(1, 12, 16)
    maps[0, 6, 2] = 1
    with ShiftedWarper().open([FRAMES[0]] * 2) as session:
        moved, _ = session.warp(maps, 0, 1)
    # 40 of 64 pixels are 10 of 16 cells.
    assert int(moved[0].flatten().argmax()) == 6 * 16 + 2 + 10


def test_wrong_classes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By second looks, once they are learned; without them by the model's own flicker."""
    # At every size, although on three clean frames some are doubted.
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *known: ())
    frames, _ = render_video(seed=3, num_frames=3)
    config = AdaptConfig(training=Training(learning_rate=1e-3, passes=8))
    model = wrap(load_demo_model(), target_builder=shuffled, config=config)
    assert model.adapt(frames).adapted
    judge = model._stream.judge
    assert judge is not None
    assert max(judge.opinions["adapted"]) < min(0.0, *judge.opinions["memory"])
    assert model.speaker != "adapted"
    once = wrap(toy_segmenter(), target_builder=shuffled, config=AdaptConfig(look=None))
    assert not once.adapt(FRAMES[:3]).adapted
