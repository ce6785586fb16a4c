"""Connected components against hand-drawn ones, a second way to find them, and scipy."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.ops.components import connected_components, find_components


def components_of(labels: Tensor, confidence: Tensor | None = None, **options: float) -> list:
    sure = torch.full(labels.shape, 0.5) if confidence is None else confidence
    return find_components(labels, sure, connected_components(labels), **options)


@st.composite
def label_maps(draw: st.DrawFn) -> Tensor:
    height, width, classes = (draw(st.integers(1, high)) for high in (12, 12, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.randint(0, classes, (height, width), generator=generator)


def test_pixels_that_touch_at_a_corner_are_one() -> None:
    labels = torch.tensor([[1, 0], [0, 1]])
    assert connected_components(labels).tolist() == [[0, 1], [1, 0]]


def test_by_hand() -> None:
    labels = torch.tensor(
        [
            [2, 2, 0, 2],
            [0, 0, 0, 2],
            [2, 0, 2, 0],
        ]
    )
    # The lone 2 below on the left touches none; the one in the middle meets the right one.
    assert connected_components(labels).tolist() == [[0, 0, 1, 2], [1, 1, 1, 2], [3, 1, 2, 1]]


def test_a_comb_is_one_component() -> None:
    labels = torch.zeros(6, 41, dtype=torch.int64)
    labels[:5, ::2] = 1
    labels[5] = 1
    numbers = connected_components(labels)
    assert (numbers[labels == 1] == 0).all()
    assert len(numbers.unique()) == 21


@given(label_maps())
def test_the_same_as_opencv_around_each_pixel(labels: Tensor) -> None:
    numbers = connected_components(labels)
    seen: list[int] = []
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            number = int(numbers[y, x])
            same = (labels == labels[y, x]).numpy().astype(np.uint8)
            _, grown = cv2.connectedComponents(same, connectivity=8)
            np.testing.assert_array_equal((numbers == number).numpy(), grown == grown[y, x])
            if number not in seen:
                seen.append(number)
    assert seen == list(range(len(seen)))


@given(label_maps())
def test_as_many_as_scipy_finds(labels: Tensor) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    counts = [
        ndimage.label(labels.numpy() == label, structure=np.ones((3, 3)))[1]
        for label in labels.unique().tolist()
    ]
    assert int(connected_components(labels).max()) + 1 == sum(counts)


@pytest.mark.parametrize(("side", "area", "kept"), [(100, 5, True), (100, 4, False), (20, 1, True)])
def test_least_area(side: int, area: int, kept: bool) -> None:
    # 0.05 % of 100 x 100 pixels are 5, of 20 x 20 pixels 0.2.
    labels = torch.zeros(side, side, dtype=torch.int64)
    labels[3, 3 : 3 + area] = 1
    assert [c.label for c in components_of(labels)] == [0, 1][: 1 + kept]


def test_least_area_of_a_common_size() -> None:
    # 0.0005 * 480 * 853 = 204.72.
    for area, kept in ((204, 1), (205, 2)):
        labels = torch.zeros(480, 853, dtype=torch.int64)
        labels[7, 9 : 9 + area] = 3
        assert len(components_of(labels)) == kept


def test_score_and_peak_are_of_the_most_confident_pixel() -> None:
    labels = torch.tensor([[1, 1, 0], [1, 1, 0]])
    confidence = torch.tensor([[0.4, 0.7, 0.5], [0.7, 0.6, 0.5]])
    found = components_of(labels, confidence)
    assert [(c.label, c.area, c.peak) for c in found] == [(0, 2, (2, 0)), (1, 4, (1, 0))]
    assert [c.score for c in found] == pytest.approx([0.5, 0.7])


def test_order_by_score_then_area() -> None:
    labels = torch.tensor([[0, 0, 1, 2, 2, 2, 3, 3]])
    confidence = torch.tensor([[0.6] * 2 + [0.6] + [0.6] * 3 + [0.2, 0.1]])
    # The weakest first; of equal scores the largest first, so that the smallest is painted last.
    assert [c.label for c in components_of(labels, confidence)] == [3, 2, 0, 1]


@given(label_maps())
def test_components_cover_the_image(labels: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(labels.shape, generator=generator)
    numbers = connected_components(labels)
    found = find_components(labels, confidence, numbers, min_share=0)
    assert sum(c.area for c in found) == labels.numel()
    for c in found:
        inside = numbers == c.number
        x, y = c.peak
        assert inside[y, x]
        assert labels[inside].unique().tolist() == [c.label]
        assert c.score == pytest.approx(float(confidence[inside].max()))
        assert confidence[y, x] == confidence[inside].max()
