"""What the released program of UnifiedVideoDA does differently, case by case.

Ten rows, so that the lower part begins at row 7.
"""

import pytest
import torch
from torch import Tensor

from ditta_adapt import ShapeError
from ditta_adapt.baselines.refinement.unified_video_da_warp import unified_video_da_warp


def constant_flow(columns: float, rows: float, size: tuple[int, int]) -> Tensor:
    return torch.tensor([float(columns), float(rows)]).view(2, 1, 1).expand(2, *size).clone()


MAPS = torch.arange(40).view(1, 10, 4)


def test_rounds_down_and_looks_up() -> None:
    flow = constant_flow(0.9, 1.9, (10, 4))
    warped, valid = unified_video_da_warp(MAPS, flow)
    # Row 5 would land at 6.9 < 7: rounded down, row 6. Row 6 lands in the lower part.
    assert warped[0, 5].tolist() == [24, 25, 26, 27]
    assert warped[0, 6].tolist() == [255] * 4
    assert valid[1:6].all()
    # Row 0 would be read by nobody; rows 6 to 9 read themselves and so are filled.
    assert not valid[6:].any()


def test_what_stands_still_is_filled() -> None:
    flow = constant_flow(1, 0, (10, 4))
    flow[:, 2, 1] = 0
    warped, valid = unified_video_da_warp(MAPS, flow)
    assert warped[0, 2, 1] == 255
    assert not valid[2, 1]


def test_the_wrong_pixel_is_filled_where_a_source_is_shared() -> None:
    flow = constant_flow(0, 1, (10, 4))
    flow[0, 3, 0] = 1  # Pixels (3, 0) and (3, 1) both read (4, 1).
    warped, _ = unified_video_da_warp(MAPS, flow)
    assert warped[0, 3, :2].tolist() == [17, 17]
    assert warped[0, 4, 1] == 255


def test_logits_are_filled_too_and_an_honest_255_is_invalid() -> None:
    maps = torch.zeros(2, 10, 4)
    maps[1, 1, 1] = 255
    warped, valid = unified_video_da_warp(maps, constant_flow(0, 1, (10, 4)))
    assert (warped[:, 9] == 255).all()
    assert warped[:, 0, 1].tolist() == [0, 255]
    assert not valid[0, 1]
    assert valid[0, 0]


def test_rows_of_a_car_at_1024() -> None:
    flow = constant_flow(0, 1, (1024, 1))
    _, valid = unified_video_da_warp(torch.zeros(1, 1024, 1), flow)
    # Row 838 reads row 839; row 839 would read 840. It keeps itself, as all below: filled, and
    # so is the pixel at row 839, which two read.
    assert valid[838, 0]
    assert not valid[839:].any()


@pytest.mark.usefixtures("unchecked")
def test_shapes() -> None:
    with pytest.raises(ShapeError, match=r"flow has shape \(2, 3, 3\) and maps \(1, 3, 4\)"):
        unified_video_da_warp(torch.zeros(1, 3, 4), torch.zeros(2, 3, 3))
