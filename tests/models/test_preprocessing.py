"""Sizes and normalisation by hand; the adapters' tests compare them with transformers' own."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.models import (
    DEFAULT_SETTINGS,
    fixed_input_size,
    input_size,
    normalise,
    rescale_and_normalise,
)


def test_imagenet_by_hand() -> None:
    grey = torch.full((2, 3, 1, 1), 0.5)
    expected = torch.tensor([0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225]).view(3, 1, 1)
    torch.testing.assert_close(normalise(grey), expected.expand(2, 3, 1, 1))
    # One image without a batch, and the defaults of settings, which are for pixels up to 255.
    torch.testing.assert_close(normalise(grey[0]), expected)
    torch.testing.assert_close(
        rescale_and_normalise(255 * grey, DEFAULT_SETTINGS), expected.expand(2, 3, 1, 1)
    )


def test_normalise_keeps_the_dtype() -> None:
    images = torch.ones(3, 2, 2, dtype=torch.bfloat16)
    assert normalise(images, (0, 0, 0), (2, 2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": 48}, (48, 48)),
        ({"size": 48, "size_divisor": 1}, (48, 64)),
        # One of the two sides is met: that for which the image changes less.
        ({"size": {"height": 90, "width": 160}, "keep_aspect_ratio": True}, (90, 120)),
        ({"size": {"height": 90, "width": 120}, "ensure_multiple_of": 32}, (96, 128)),
        ({"size": 48, "max_size": 60}, (45, 60)),
        ({"size": {"shortest_edge": 48, "longest_edge": 60}}, (45, 60)),
        ({"size": {"shortest_edge": 48}, "size_divisor": 32}, (64, 64)),
        ({"size": {"height": 10, "width": 20}}, (10, 20)),
    ],
)
def test_sizes_by_hand(settings: Mapping[str, Any], expected: tuple[int, int]) -> None:
    assert input_size(settings, 96, 128) == expected


def test_a_fixed_size_may_be_a_square() -> None:
    assert fixed_input_size({"size": 48}) == (48, 48)


@pytest.mark.parametrize("size", [None, "large", {"max_height": 5}, {"shortest_edge": 5}])
def test_sizes_that_mean_nothing(size: object) -> None:
    with pytest.raises(InputError, match="settings ask to resize to size = "):
        fixed_input_size({"size": size})


@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    edge=st.integers(1, 300),
    limit=st.none() | st.integers(300, 600),
    divisor=st.integers(1, 40),
)
def test_a_resized_image_keeps_its_shape(
    height: int, width: int, edge: int, limit: int | None, divisor: int
) -> None:
    size = {"shortest_edge": edge, "longest_edge": limit}
    found = input_size({"size": size, "size_divisor": divisor}, height, width)
    assert all(side % divisor == 0 for side in found)
    # The same, turned by a quarter; and the longer side stays the longer one.
    turned = input_size({"size": size, "size_divisor": divisor}, width, height)
    if height != width:
        assert turned == found[::-1]
        assert (found[0] <= found[1]) == (height < width) or found[0] == found[1]
    short, long = sorted((height, width))
    # An image whose shorter side is what it is to be, up to rounding, stays as it is.
    if limit is not None and min(edge, round(limit * short / long)) != short:
        assert max(found) < limit + 1 + divisor


def test_a_limit_that_rounds_to_the_same_shorter_side_changes_nothing() -> None:
    assert input_size({"size": {"shortest_edge": 1, "longest_edge": 300}}, 1, 302) == (1, 302)
