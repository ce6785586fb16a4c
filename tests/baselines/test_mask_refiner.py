"""Votes of masks that are followed through windows, on label maps drawn by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError, Masks
from ditta_adapt.baselines.mask_refiner import MaskRefiner
from ditta_adapt.baselines.masklets import Masklets, grid_prompts
from tests.baselines.painted import PaintedSegmenter, maps, painted
from tests.baselines.teachers import Teacher, emptied

HALVES = [[1, 1, 2, 2]] * 2


def refiner(teacher: Teacher, **options: object) -> MaskRefiner:
    return MaskRefiner(PaintedSegmenter(), teacher, points_per_side=4, **options)  # type: ignore[arg-type]


def test_grid_by_hand() -> None:
    labels = torch.zeros(6, 10, dtype=torch.int64)
    labels[:, 5:] = 1
    prompts = grid_prompts(labels, 2)
    # Middles of cells of 5 x 3 pixels: 2.5 and 7.5, 1.5 and 4.5, rounded down.
    assert [prompt.point for prompt in prompts] == [(2, 1), (7, 1), (2, 4), (7, 4)]
    assert [prompt.object_id for prompt in prompts] == [1, 2, 3, 4]
    assert all(torch.equal(p.region, labels == labels[p.point[1], p.point[0]]) for p in prompts)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 24))
def test_grid_points_are_distinct_pixels_inside(height: int, width: int, side: int) -> None:
    labels = torch.arange(height * width).view(height, width) % 3
    points = [prompt.point for prompt in grid_prompts(labels, side)]
    assert len(set(points)) == len(points) == min(side, height) * min(side, width)
    for (x, y), prompt in zip(points, grid_prompts(labels, side), strict=True):
        assert prompt.region[y, x]


def test_one_mask_a_component_is_followed() -> None:
    teacher = Teacher()
    masklets = Masklets(teacher, points_per_side=4, window=32)
    labels = torch.tensor(HALVES)
    frame = torch.zeros(3, 2, 4, dtype=torch.uint8)
    first, second = masklets.follow(frame, labels), masklets.follow(frame, 1 - labels)
    # 8 points fall in two components; of equal masks the first is kept.
    assert [prompt.object_id for _, prompt in teacher.prompts] == [*range(1, 9), 1, 3]
    assert first.masks.tolist() == second.masks.tolist() == [[[1, 1, 0, 0]] * 2, [[0, 0, 1, 1]] * 2]
    assert (teacher.opened, teacher.open_sessions) == (2, 1)


def test_the_majority_wins_in_every_frame() -> None:
    method = refiner(Teacher())
    frames = [HALVES, [[1, 3, 2, 2], [1, 1, 3, 2]], [[3, 3, 2, 2], [3, 1, 2, 2]]]
    threes = [[3, 3, 2, 2]] * 2
    assert maps([method(painted(frame)) for frame in frames]) == [HALVES, HALVES, threes]


def test_a_vote_of_the_window_pools_what_was_seen_so_far() -> None:
    method = refiner(Teacher(), vote="window", window=3)
    threes = [[3, 3, 2, 2]] * 2
    frames = [HALVES, [[3, 3, 2, 2], [3, 1, 2, 2]], threes, threes]
    # On the left 4 : 0, then 5 : 3, then 5 : 7 votes for class 1 against 3; then a new window.
    assert maps([method(painted(frame)) for frame in frames]) == [HALVES, HALVES, threes, threes]


def test_of_equal_votes_the_smaller_class() -> None:
    method = refiner(Teacher())
    method(painted(HALVES))
    assert method(painted([[3, 0, 2, 2], [0, 3, 2, 2]])).tolist() == [[0, 0, 2, 2]] * 2


def test_a_new_window_looks_anew() -> None:
    teacher = Teacher()
    method = refiner(teacher, window=2)
    other = [[1, 2, 2, 2]] * 2
    found = maps([method(painted(frame)) for frame in (HALVES, other, other, other)])
    # Within the window of the first two frames, the left half is one object: 2 : 2 votes.
    assert found == [HALVES, HALVES, other, other]
    assert (teacher.opened, teacher.open_sessions) == (4, 1)
    assert {t for t, _ in teacher.prompts} == {0}


def test_no_mask_is_the_image_model_alone() -> None:
    teacher = Teacher(emptied)
    method = refiner(teacher, vote="window")
    other = [[1, 2, 2, 2]] * 2
    assert maps([method(painted(frame)) for frame in (HALVES, other)]) == [HALVES, other]
    assert teacher.open_sessions == 0


def test_a_mask_that_is_lost_is_skipped() -> None:
    def lost_after_prompting(masks: Masks) -> Masks:
        gone = calls.append(None) or len(calls) > 2
        return emptied(masks) if gone else masks

    calls: list[None] = []
    method = refiner(Teacher(lost_after_prompting))
    other = [[1, 2, 2, 3]] * 2
    assert maps([method(painted(frame)) for frame in (HALVES, other)]) == [HALVES, other]


def test_overlapping_masks_vote_on_the_original_and_the_smaller_wins() -> None:
    def large_ones_are_everything(masks: Masks) -> Masks:
        bent = masks.masks.clone()
        bent[masks.masks.flatten(1).sum(dim=1) == 4] = True
        return Masks(masks.object_ids, bent)

    method = refiner(Teacher(large_ones_are_everything))
    frame = [[1, 1, 1, 2], [1, 3, 3, 2]]
    # Kept: the whole frame (class 1 has 4 of 8 pixels) and the components of 2 and of 3.
    assert method(painted(frame)).tolist() == frame
    # The whole: 3 of 8 for class 0; the column on the right: 1 : 1, so 0; the pair below: 3.
    assert method(painted([[0, 1, 2, 0], [1, 3, 3, 0]])).tolist() == [[0, 0, 0, 0], [0, 3, 3, 0]]


@pytest.mark.parametrize(
    "options", [{"points_per_side": 0}, {"window": 1.5}, {"vote": "video"}, {"window": True}]
)
def test_wrong_arguments(options: dict[str, object], unchecked: None) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} is"):
        MaskRefiner(PaintedSegmenter(), Teacher(), **options)  # type: ignore[arg-type]
