"""Zero-shot refinement on label maps drawn by hand."""

import numpy as np
import pytest
import torch

from ditta_adapt import InputError
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.baselines.zero_shot import ZeroShotRefinement
from tests.baselines.painted import PaintedSegmenter, maps, painted
from tests.baselines.teachers import Teacher, emptied, grown
from tests.toys import StillPropagator

FIRST = [[1, 1, 0, 0], [1, 1, 0, 2], [0, 0, 0, 2]]
LATER = [[0, 1, 0, 3], [0, 0, 3, 3], [3, 3, 3, 3]]


def test_a_static_clip_stays_as_it_is() -> None:
    method = ZeroShotRefinement(PaintedSegmenter(), StillPropagator())
    assert maps([method(painted(FIRST)) for _ in range(4)]) == [FIRST] * 4


def test_components_of_the_first_frame_are_painted_over_later_ones() -> None:
    method = ZeroShotRefinement(PaintedSegmenter(), StillPropagator())
    # They cover the whole frame, so nothing of later predictions shows.
    assert maps([method(painted(FIRST)), method(painted(LATER))]) == [FIRST, FIRST]


def test_what_is_not_covered_is_the_image_models() -> None:
    method = ZeroShotRefinement(PaintedSegmenter(), StillPropagator(), min_area=4 / 12)
    found = maps([method(painted(FIRST)), method(painted(LATER))])
    # Classes 0 (6 pixels) and 1 (4) are followed, 2 (2 pixels) is too small.
    assert found == [FIRST, [[1, 1, 0, 0], [1, 1, 0, 3], [0, 0, 0, 3]]]


def test_lost_objects_fall_back_to_the_image_model() -> None:
    method = ZeroShotRefinement(PaintedSegmenter(), Teacher(emptied))
    assert maps([method(painted(frame)) for frame in (FIRST, LATER)]) == [FIRST, LATER]


def test_no_component_is_the_image_model_alone() -> None:
    teacher = StillPropagator()
    method = ZeroShotRefinement(PaintedSegmenter(), teacher, min_area=1.0)
    assert maps([method(painted(frame)) for frame in (FIRST, LATER)]) == [FIRST, LATER]
    assert teacher.sessions == []


@pytest.mark.parametrize(("left", "right", "middle"), [(0.9, 0.6, 1), (0.6, 0.9, 2)])
def test_of_overlapping_masks_the_higher_score_wins(left: float, right: float, middle: int) -> None:
    method = ZeroShotRefinement(PaintedSegmenter(), Teacher(grown))
    confidence = np.array([[left, left, right, right]])
    found = method(painted([[1, 1, 2, 2]], confidence))
    assert found.tolist() == [[1, 1, middle, 2]]


def test_the_teacher_gets_components_with_their_most_confident_pixel() -> None:
    teacher = Teacher()
    confidence = np.full((3, 4), 0.5)
    confidence[1, 0], confidence[2, 3] = 0.95, 0.7
    method = ZeroShotRefinement(PaintedSegmenter(), teacher)
    method(painted(FIRST, confidence))
    method(painted(LATER))
    labels = torch.tensor(FIRST)
    assert [(t, prompt.object_id, prompt.point) for t, prompt in teacher.prompts] == [
        (0, 1, (2, 0)),
        (0, 2, (3, 2)),
        (0, 3, (0, 1)),
    ]
    for (_, prompt), label in zip(teacher.prompts, (0, 2, 1), strict=True):
        assert torch.equal(prompt.region, labels == label)
    assert teacher.opened == 1


def test_a_moving_object_is_followed_where_the_model_loses_it() -> None:
    generator = np.random.default_rng(0)
    texture = generator.integers(0, 256, (64, 96), dtype=np.uint8)
    patch = generator.integers(0, 256, (24, 24), dtype=np.uint8)
    method = ZeroShotRefinement(PaintedSegmenter(), OpticalFlowPropagator())
    for t in range(5):
        labels = np.zeros((64, 96), dtype=np.uint8)
        truth = np.s_[20:44, 20 + 2 * t : 44 + 2 * t]
        # From the second frame on, the model does not see it.
        labels[truth] = 1 if t == 0 else 0
        frame = painted(labels)
        # Blue, which the model does not look at, is what flow can follow.
        frame[..., 2] = texture
        frame[..., 2][truth] = patch
        found = method(frame).numpy()
        hit = found[truth] == 1
        assert hit.mean() > 0.8
        assert (found == 1).sum() < 1.3 * hit.size


@pytest.mark.parametrize("min_area", [-0.1, 1.1, "much"])
def test_wrong_area(min_area: object, unchecked: None) -> None:
    with pytest.raises(InputError, match="min_area is"):
        ZeroShotRefinement(PaintedSegmenter(), StillPropagator(), min_area=min_area)  # type: ignore[arg-type]
