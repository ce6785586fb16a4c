"""How far labellings agree with a look."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.safety.agreement import agreement

quick = settings(max_examples=60, deadline=None)
maps = st.lists(st.integers(0, 3), min_size=12, max_size=12)


def as_map(values: list[int]) -> Tensor:
    return torch.tensor(values).view(3, 4)


def by_hand(labellings: list[list[int]], look: list[int], exponent: float) -> list[float]:
    """Cell by cell, in sets."""
    weight, ious = [], []
    for c in range(4):
        cells = [{i for i, y in enumerate(each) if y == c} for each in (*labellings, look)]
        weight.append(max(len(each) for each in cells) ** exponent if any(cells) else 0.0)
        ious.append(
            [
                len(own & cells[-1]) / len(own | cells[-1]) if own | cells[-1] else 1.0
                for own in cells
            ]
        )
    total = sum(weight)
    return [
        sum(w * iou[n] for w, iou in zip(weight, ious, strict=True)) / total
        for n in range(len(labellings))
    ]


@quick
@given(one=maps, other=maps, look=maps, exponent=st.sampled_from([0.0, 0.5, 1.0]))
def test_it_is_a_weighted_mean_of_ious(one, other, look, exponent):
    found = agreement(
        [as_map(one), as_map(other)], as_map(look), 4, least_share=0.0, exponent=exponent
    )
    expected = by_hand([one, other], look, exponent if exponent else 1e-12)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@quick
@given(look=maps)
def test_it_is_one_for_the_look_itself(look):
    found = agreement([as_map(look), as_map(look)], as_map(look), 4)
    assert found.tolist() == pytest.approx([1.0, 1.0])


def test_a_class_that_one_invents_speaks_against_that_one_alone():
    look = as_map([0] * 12)
    invented = as_map([1] * 2 + [0] * 10)
    right, wrong = agreement([look, invented], look, 4, exponent=0.0).tolist()
    assert right == 1.0
    assert wrong == pytest.approx((10 / 12 + 0) / 2)


def test_a_small_object_counts_more_than_by_its_area():
    """One cell of sixty-four is lost; by area that is hardly seen."""
    look = torch.zeros(8, 8, dtype=torch.int64)
    look[0, 0] = 1
    lost = torch.zeros_like(look)
    balanced, by_area = (float(agreement([lost], look, 2, exponent=e)[0]) for e in (0.5, 1.0))
    assert by_area == pytest.approx((63 / 64 * 64 + 0) / 65)
    assert balanced == pytest.approx((8 * 63 / 64 + 0) / 9)


def test_specks_are_left_out():
    look = torch.zeros(40, 40, dtype=torch.int64)
    speck = look.clone()
    speck[0, :3] = 1
    assert float(agreement([speck], look, 2)[0]) == pytest.approx(1597 / 1600)
    assert float(agreement([speck], look, 2, least_share=0.001)[0]) < 0.97


def test_labels_may_be_in_the_smallest_dtype_that_holds_them():
    look = torch.tensor([[0, 255], [255, 1]], dtype=torch.uint8)
    other = torch.tensor([[0, 255], [0, 1]])
    found = agreement([look, other], look, 256, least_share=0.0, exponent=0.0)
    assert found.tolist() == pytest.approx([1.0, (1 / 2 + 1 / 2 + 1) / 3])


def test_the_last_class_of_the_smallest_dtype_is_not_mistaken_for_cells_that_do_not_count():
    labels = torch.tensor([[255, 0, 255]], dtype=torch.uint8)
    look = torch.tensor([[255, 255, 0]], dtype=torch.uint8)
    where = torch.tensor([[True, True, False]])
    found = agreement([labels], look, 256, where=where, exponent=0.0)
    # Of class 255 one of two cells, of class 0 none of one.
    assert found.tolist() == [0.25]


@quick
@given(one=maps, look=maps, where=st.lists(st.booleans(), min_size=12, max_size=12))
def test_cells_that_do_not_count_are_as_if_they_were_not_there(one, look, where):
    mask = torch.tensor(where).view(3, 4)
    found = agreement([as_map(one)], as_map(look), 4, where=mask, least_share=0.25)
    left = [[y for y, counts in zip(each, where, strict=True) if counts] for each in (one, look)]
    if not any(where):
        assert found.tolist() == [0.0]
        return
    own, other = (torch.tensor([each]) for each in left)
    expected = agreement([own], other, 4, least_share=0.25)
    torch.testing.assert_close(found, expected)
