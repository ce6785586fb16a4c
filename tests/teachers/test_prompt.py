"""A prompt made of a mask."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import Prompt


def test_the_point_is_the_pixel_nearest_the_centre_by_hand() -> None:
    region = torch.zeros(5, 9, dtype=torch.bool)
    region[1, [1, 2, 3, 8]] = True  # The mean column is 3.5, where nothing is.
    prompt = Prompt.on(region, 4)
    assert (prompt.object_id, prompt.point) == (4, (3, 1))
    assert torch.equal(prompt.region, region)
    assert prompt.region is not region


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7)), min_size=1))
def test_the_point_is_always_inside(pixels: set[tuple[int, int]]) -> None:
    region = torch.zeros(6, 8, dtype=torch.bool)
    for y, x in pixels:
        region[y, x] = True
    x, y = Prompt.on(region, 1).point
    assert region[y, x]
