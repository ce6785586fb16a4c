"""Votes of masks and painting, by hand and against plain loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.baselines.painting import class_votes, distinct_masks, paint, paint_by_area

S = torch.tensor([[1, 1, 2], [1, 2, 2]])
FIRST_TWO_COLUMNS = torch.tensor([[[True, True, False], [True, True, False]]])


@st.composite
def masks_and_labels(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    count, height, width = (draw(st.integers(low, 6)) for low in (0, 1, 1))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    masks = torch.rand(count, height, width, generator=generator) < draw(st.floats(0, 1))
    return masks, torch.randint(0, 4, (height, width), generator=generator)


def test_the_majority_of_a_mask() -> None:
    votes = class_votes(FIRST_TWO_COLUMNS, S, 3)
    assert votes.tolist() == [[0, 3, 1]]
    painted = paint_by_area(S, FIRST_TWO_COLUMNS, votes.argmax(dim=1).tolist())
    assert painted.tolist() == [[1, 1, 2], [1, 1, 2]]
    assert S.tolist() == [[1, 1, 2], [1, 2, 2]]


def test_ignored_pixels_do_not_vote() -> None:
    labels = torch.tensor([[255, 255, 2], [255, -1, 2]], dtype=torch.int16)
    assert class_votes(FIRST_TWO_COLUMNS, labels, 3).tolist() == [[0, 0, 0]]
    assert class_votes(~FIRST_TWO_COLUMNS, labels, 3).tolist() == [[0, 0, 2]]


def test_of_equal_votes_the_smaller_class() -> None:
    labels = torch.tensor([[2, 1], [1, 2]])
    votes = class_votes(torch.ones(1, 2, 2, dtype=torch.bool), labels, 3)
    assert votes.argmax(dim=1).tolist() == [1]


@given(masks_and_labels())
def test_votes_by_counting(case: tuple[Tensor, Tensor]) -> None:
    masks, labels = case
    votes = class_votes(masks, labels, 3)
    assert votes.shape == (len(masks), 3)
    for mask, row in zip(masks, votes, strict=True):
        assert row.tolist() == [int(((labels == c) & mask).sum()) for c in range(3)]


def test_the_last_one_painted_wins() -> None:
    masks = torch.tensor([[[True, True, False]], [[False, True, True]]])
    assert paint(torch.zeros(1, 3, dtype=torch.int64), masks, [1, 2]).tolist() == [[1, 2, 2]]


def test_the_smaller_mask_wins() -> None:
    masks = torch.tensor([[[False, True, False]], [[True, True, True]], [[False, False, False]]])
    assert paint_by_area(torch.zeros(1, 3, dtype=torch.int64), masks, [1, 2, 3]).tolist() == [
        [2, 1, 2]
    ]


@given(masks_and_labels())
def test_masks_of_the_classes_change_nothing(case: tuple[Tensor, Tensor]) -> None:
    _, labels = case
    masks = torch.stack([labels == c for c in range(4)])
    votes = class_votes(masks, labels, 4)
    assert torch.equal(paint_by_area(labels, masks, votes.argmax(dim=1).tolist()), labels)


@given(masks_and_labels())
def test_twice_is_once_for_masks_that_do_not_overlap(case: tuple[Tensor, Tensor]) -> None:
    masks, labels = case
    masks = masks & (masks.cumsum(dim=0) == 1)

    def refine(current: Tensor) -> Tensor:
        votes = class_votes(masks, current, 4)
        return paint_by_area(current, masks, votes.argmax(dim=1).tolist())

    assert torch.equal(refine(refine(labels)), refine(labels))


def row(*columns: int) -> Tensor:
    mask = torch.zeros(1, 10, dtype=torch.bool)
    mask[0, list(columns)] = True
    return mask


@pytest.mark.parametrize(
    ("masks", "kept"),
    [
        ([row(), row(1)], [1]),
        ([row(1, 2), row(1, 2)], [0]),
        # 7 of 10 pixels: an IoU of 0.7, which is not over it; 8 of 10 are.
        ([row(*range(7)), row(*range(10))], [0, 1]),
        ([row(*range(8)), row(*range(10))], [1]),
        # The middle one goes for the sake of the first, though the last is near to it as well.
        ([row(*range(10)), row(*range(8)), row(*range(6))], [0, 2]),
        ([row(0), row(5)], [0, 1]),
    ],
)
def test_near_duplicates(masks: list[Tensor], kept: list[int]) -> None:
    assert distinct_masks(torch.stack(masks)) == kept


def test_no_mask() -> None:
    assert distinct_masks(torch.zeros(0, 3, 4, dtype=torch.bool)) == []


@given(masks_and_labels(), st.floats(0, 1))
def test_what_is_kept_is_distinct_and_covers_the_rest(
    case: tuple[Tensor, Tensor], max_iou: float
) -> None:
    masks, _ = case

    def iou(i: int, j: int) -> float:
        return float((masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum())

    kept = distinct_masks(masks, max_iou=max_iou)
    assert all(masks[i].any() for i in kept)
    assert all(iou(i, j) <= max_iou + 1e-6 for i in kept for j in kept if i < j)
    for i in range(len(masks)):
        if i not in kept and masks[i].any():
            near = [j for j in kept if iou(i, j) >= max_iou - 1e-6]
            assert any(masks[j].sum() >= masks[i].sum() for j in near)
