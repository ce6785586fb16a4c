"""Feature maps in every layout, and the sizes that models take."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.models.feature_maps import as_map
from ditta_adapt.models.sizes import SizeRule, find_size_rule

SIDES = st.integers(2, 9)


@given(height=SIDES, width=SIDES, factor=st.integers(1, 4), extra=st.integers(0, 5))
def test_layouts_of_one_map(height: int, width: int, factor: int, extra: int) -> None:
    maps = torch.arange(2.0 * 3 * height * width).reshape(2, 3, height, width)
    grid = (height * factor, width * factor)
    assert torch.equal(as_map(maps, grid), maps)
    last = as_map(maps.permute(0, 2, 3, 1), grid, channels_last=True)
    assert torch.equal(last, maps)
    tokens = maps.flatten(2).transpose(1, 2)
    if factor == 1:
        before = torch.full((2, extra, 3), -1.0)
        assert torch.equal(as_map(torch.cat([before, tokens], 1), grid), maps)


def test_the_padded_part_is_cropped() -> None:
    maps = torch.rand(1, 2, 64, 112)
    # An image of 97 x 195, padded to 128 x 224, at a stride of two.
    assert torch.equal(as_map(maps, (97, 195)), maps[..., :49, :98])
    assert as_map(torch.rand(1, 2, 6, 6), (97, 195)) is None


@given(multiple=st.integers(1, 130), height=st.integers(1, 900), width=st.integers(1, 900))
def test_the_nearest_size(multiple: int, height: int, width: int) -> None:
    found = SizeRule(multiple).nearest(height, width)
    for side, given_side in zip(found, (height, width), strict=True):
        assert side % multiple == 0
        assert side > 0
        assert abs(side - given_side) <= max(multiple / 2, multiple - given_side)


@pytest.mark.parametrize("multiple", [1, 2, 8, 14, 32, 128])
def test_what_divides_is_found_by_trying(multiple: int) -> None:
    def runs(size: tuple[int, int]) -> None:
        if size[0] % multiple or size[1] % multiple:
            raise ValueError(f"{size} does not divide")

    assert find_size_rule(runs) == SizeRule(multiple)


def test_what_the_model_raised_first_is_raised() -> None:
    def runs(size: tuple[int, int]) -> None:
        raise ValueError(f"not {size}")

    with pytest.raises(ValueError, match=r"not \(97, 195\)"):
        find_size_rule(runs, [(5, 7)])
