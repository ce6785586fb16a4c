import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.targets.prompts import make_prompts, select_points

quick = settings(max_examples=60, deadline=None)
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
Frame = tuple[Tensor, Tensor, Tensor]


@st.composite
def frames(draw: st.DrawFn, max_objects: int = 2) -> Frame:
    """Labels, reliability with many ties, and sparse tracked masks."""
    h, w = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    labels = torch.randint(0, draw(st.integers(1, 7)), (h, w), generator=generator)
    reliability = torch.randint(0, 11, (h, w), generator=generator).double() / 10
    count = draw(st.integers(0, max_objects))
    tracked = torch.rand(count, h, w, generator=generator) < 1 / (h * w)
    return labels, reliability, tracked


def select_by_hand(
    frame: Frame, threshold: float, dilation: int, limit: int
) -> list[tuple[int, int]]:
    """Peaks by a loop over pixels, nearness by OpenCV's dilation with the cross."""
    labels, reliability, tracked = (m.numpy() for m in frame)
    union = np.zeros(labels.shape, np.uint8)
    for mask in tracked:
        union |= cv2.dilate(mask.astype(np.uint8), CROSS, iterations=dilation) if dilation else mask
    peaks: dict[int, tuple[float, int, int]] = {}
    for y, x in np.ndindex(labels.shape):
        peak = peaks.get(labels[y, x])
        if peak is None or reliability[y, x] > peak[0]:
            peaks[labels[y, x]] = (reliability[y, x], x, y)
    points = []
    for _, (peak, x, y) in sorted(peaks.items(), key=lambda item: (-item[1][0], item[0])):
        if peak >= threshold and not union[y, x]:
            points.append((x, y))
    return points[:limit]


@quick
@given(
    frame=frames(),
    threshold=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    dilation=st.integers(0, 6),
    limit=st.sampled_from([0, 1, 2, 100]),
)
def test_it_equals_a_loop_and_opencv(
    frame: Frame, threshold: float, dilation: int, limit: int
) -> None:
    points = select_points(*frame, threshold=threshold, dilation=dilation, limit=limit)
    assert points == select_by_hand(frame, threshold, dilation, limit)


@pytest.mark.parametrize("dilation", [0, 1, 5])
@pytest.mark.parametrize(("x", "y"), [(8, 8), (0, 0), (15, 3), (7, 15)])
def test_nearness_equals_dilating_with_the_cross(x: int, y: int, dilation: int) -> None:
    """Every place of the peak around one tracked pixel, also across the border of the frame."""
    tracked = torch.zeros(1, 16, 16, dtype=torch.bool)
    tracked[0, y, x] = True
    dilated = tracked[0].numpy().astype(np.uint8)
    for _ in range(dilation):
        dilated = cv2.dilate(dilated, CROSS)
    labels = torch.zeros(16, 16, dtype=torch.int64)
    near = np.zeros((16, 16), np.uint8)
    for row, column in np.ndindex(16, 16):
        reliability = torch.zeros(16, 16)
        reliability[row, column] = 1
        near[row, column] = not select_points(labels, reliability, tracked, dilation=dilation)
    np.testing.assert_array_equal(near, dilated)


@quick
@given(frame=frames(max_objects=0))
def test_on_the_first_frame_every_reliable_class_has_its_point(frame: Frame) -> None:
    labels, reliability, tracked = frame
    points = select_points(labels, reliability, tracked)
    chosen = [int(labels[y, x]) for x, y in points]
    peaks = {c: float(reliability[labels == c].max()) for c in labels.unique().tolist()}
    assert sorted(chosen) == sorted(c for c, peak in peaks.items() if peak >= 0.8)
    values = [float(reliability[y, x]) for x, y in points]
    assert values == sorted(values, reverse=True)


@quick
@given(frame=frames(), limit=st.integers(0, 4))
def test_a_limit_keeps_the_most_reliable_points(frame: Frame, limit: int) -> None:
    whole = select_points(*frame, threshold=0.3, dilation=1)
    assert select_points(*frame, threshold=0.3, dilation=1, limit=limit) == whole[:limit]


def test_by_hand() -> None:
    """Class 7 peaks highest, 2 and 5 tie at the threshold, 3 stays under it."""
    labels = torch.tensor([[5, 5, 2, 2], [3, 3, 7, 7]], dtype=torch.uint8)
    reliability = torch.tensor([[0.1, 0.8, 0.8, 0.8], [0.79, 0.0, 0.2, 0.95]])
    none = torch.zeros(0, 2, 4, dtype=torch.bool)
    assert select_points(labels, reliability, none) == [(3, 1), (2, 0), (1, 0)]
    assert select_points(labels, reliability, none, threshold=0.81) == [(3, 1)]
    assert select_points(labels, reliability, none, threshold=0.96) == []
    empty = torch.zeros(2, 2, 4, dtype=torch.bool)
    assert select_points(labels, reliability, empty) == [(3, 1), (2, 0), (1, 0)]


def test_the_defaults_are_those_of_the_paper() -> None:
    """Threshold 0.8, five steps of dilation, one hundred objects."""
    reliability = torch.full((1, 240), 0.79, dtype=torch.float64)
    reliability[0, ::2] = 0.8
    labels = torch.arange(240)[None]
    tracked = torch.zeros(1, 1, 240, dtype=torch.bool)
    tracked[0, 0, 1] = True
    points = select_points(labels, reliability, tracked)
    assert points == [(x, 0) for x in range(8, 208, 2)]


def test_the_peak_is_explained_by_any_mask_not_by_its_own_class() -> None:
    """One more pixel of the class elsewhere is not taken in its place."""
    labels = torch.zeros(1, 20, dtype=torch.int64)
    reliability = torch.full((1, 20), 0.9)
    reliability[0, 2] = 1.0
    tracked = torch.zeros(2, 1, 20, dtype=torch.bool)
    tracked[1, 0, 0] = True
    assert select_points(labels, reliability, tracked) == []
    assert select_points(labels, reliability, tracked, dilation=1) == [(2, 0)]


@quick
@given(frame=frames(max_objects=0), first_id=st.integers(1, 90))
def test_prompts_carry_the_region_of_the_predicted_class(frame: Frame, first_id: int) -> None:
    labels, reliability, tracked = frame
    points = select_points(labels, reliability, tracked, threshold=0)
    prompts = make_prompts(labels, points, first_id)
    assert [prompt.object_id for prompt in prompts] == list(range(first_id, first_id + len(points)))
    assert [prompt.point for prompt in prompts] == points
    for prompt in prompts:
        x, y = prompt.point
        same = (labels == labels[y, x]).numpy().astype(np.uint8)
        _, components = cv2.connectedComponents(same, connectivity=8)
        np.testing.assert_array_equal(prompt.region.numpy(), components == components[y, x])


def test_no_point_gives_no_prompt() -> None:
    assert make_prompts(torch.zeros(2, 2, dtype=torch.int64), [], 1) == []
