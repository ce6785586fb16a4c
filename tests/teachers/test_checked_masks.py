"""What is said of masks that break the contract."""

import pytest
import torch
from torch import Tensor

from ditta_adapt import Masks, PropagationError
from ditta_adapt.teachers.checked_calls import check_masks

SIZE = (3, 4)


def check(
    ids: tuple[int, ...] = (5, 2),
    masks: Tensor | None = None,
    scores: Tensor | None = None,
) -> None:
    if masks is None:
        masks = torch.zeros(len(ids), *SIZE, dtype=torch.bool)
    found = Masks(torch.tensor(ids, dtype=torch.int64), masks, scores)
    check_masks(found, [5, 2], SIZE, "propagate(0, 1)")


@pytest.mark.parametrize(
    "scores",
    [None, torch.zeros(2, *SIZE), torch.ones(2, *SIZE), torch.rand(2, *SIZE).bfloat16()],
)
def test_good_masks(scores: Tensor | None) -> None:
    check(scores=scores)


def test_no_objects() -> None:
    none = torch.zeros(0, *SIZE)
    check_masks(Masks(torch.tensor([], dtype=torch.int64), none.bool(), none), [], SIZE, "prompt")


@pytest.mark.usefixtures("unchecked")
class TestBroken:
    @pytest.mark.parametrize("ids", [(5,), (2, 5), (5, 2, 9)])
    def test_ids(self, ids: tuple[int, ...]) -> None:
        with pytest.raises(PropagationError, match=r"propagate\(0, 1\) ret.*expected \[5, 2\]"):
            check(ids)

    @pytest.mark.parametrize("masks", [torch.zeros(2, 4, 3).bool(), torch.zeros(2, *SIZE)])
    def test_masks(self, masks: Tensor) -> None:
        with pytest.raises(PropagationError, match=r"masks of shape .*expected \(2, 3, 4\) bool"):
            check(masks=masks)

    @pytest.mark.parametrize(
        "scores",
        [torch.zeros(1, *SIZE), torch.zeros(2, 4, 3), torch.zeros(2, *SIZE, dtype=torch.uint8)],
    )
    def test_shape_and_dtype_of_scores(self, scores: Tensor) -> None:
        with pytest.raises(PropagationError, match=r"scores of shape .*expected \(2, 3, 4\) floa"):
            check(scores=scores)

    @pytest.mark.parametrize("value", [-0.1, 1.01, float("nan"), float("inf")])
    def test_range_of_scores(self, value: float) -> None:
        scores = torch.full((2, *SIZE), 0.5)
        scores[1, 2, 3] = value
        with pytest.raises(PropagationError, match=r"scores from .*expected all of them in \[0, 1"):
            check(scores=scores)
