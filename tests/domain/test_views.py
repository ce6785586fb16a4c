"""What the student is shown: pasted classes and hidden parts, by hand and as properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import ConfigError, PatchMask
from ditta_adapt.domain.source_clips import LabelledFrame
from ditta_adapt.domain.views import (
    View,
    half_of_classes,
    hidden_patches,
    hide,
    only,
    paste_classes,
)
from ditta_adapt.targets.targets import IGNORE, Targets


def targets(labels: torch.Tensor, trust: float | None = None) -> Targets:
    confidence = [] if trust is None else [torch.full(labels.shape, trust)]
    return Targets([labels.to(torch.int16)], [], {}, True, "by hand", confidence)


def grey(value: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.full((3, *size), value, dtype=torch.uint8)


def test_classes_are_pasted_with_their_labels_and_full_trust() -> None:
    truth = torch.tensor([[0, 2], [1, IGNORE]])
    source = LabelledFrame(grey(200, (2, 2)), truth)
    before = View(grey(50, (2, 2)), targets(torch.tensor([[3, 3], [3, 3]]), 0.25))
    view = paste_classes(before, source, [0, 1])
    assert view.frame[0].tolist() == [[200, 50], [200, 50]]
    assert view.targets.labels[0].tolist() == [[0, 3], [1, 3]]
    assert view.targets.confidence[0].tolist() == [[1.0, 0.25], [1.0, 0.25]]
    # What came before is as it was.
    assert before.frame.unique().tolist() == [50]
    assert before.targets.labels[0].unique().tolist() == [3]
    assert view.targets.labels[0].dtype == torch.int16


def test_the_callers_default_device_plays_no_part() -> None:
    source = LabelledFrame(grey(200, (2, 2)), torch.tensor([[0, 2], [1, IGNORE]]))
    view = View(grey(50, (2, 2)), targets(torch.tensor([[3, 3], [3, 3]])))
    torch.set_default_device("meta")
    try:
        found = paste_classes(view, source, [0])
        hidden = hidden_patches((4, 4), 0.5, 0.5, np.random.default_rng(0))
    finally:
        torch.set_default_device(None)
    assert found.targets.labels[0].tolist() == [[0, 3], [3, 3]]
    assert hidden.device.type == "cpu"


def test_labels_on_a_coarser_grid_get_what_lies_at_their_places() -> None:
    truth = torch.zeros(4, 8, dtype=torch.int64)
    truth[:, 4:] = 1
    view = paste_classes(
        View(grey(50, (4, 8)), targets(torch.tensor([[5, 5], [5, IGNORE]]))),
        LabelledFrame(grey(200, (4, 8)), truth),
        [1],
    )
    assert view.targets.labels[0].tolist() == [[5, 1], [5, 1]]
    assert view.targets.confidence == []
    assert view.frame[0, 0].tolist() == [50] * 4 + [200] * 4


@given(st.lists(st.integers(-1, 5), min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_half_of_the_classes_rounded_up(labels: list[int], seed: int) -> None:
    found = {label for label in labels if label >= 0}
    chosen = half_of_classes(torch.tensor(labels).reshape(2, 3), np.random.default_rng(seed))
    assert len(chosen) == len(set(chosen)) == -(-len(found) // 2)
    assert set(chosen) <= found


@given(
    st.lists(st.integers(-1, 3), min_size=12, max_size=12),
    st.sets(st.integers(0, 3)),
    st.lists(st.integers(-1, 3), min_size=12, max_size=12),
)
def test_every_pixel_is_of_one_of_both(
    truth: list[int], classes: set[int], labels: list[int]
) -> None:
    size = (3, 4)
    source = LabelledFrame(grey(9, size), torch.tensor(truth).reshape(size))
    own = torch.tensor(labels).reshape(size)
    view = paste_classes(View(grey(4, size), targets(own)), source, classes)
    for pixel, true, plain, colour in zip(
        view.targets.labels[0].flatten().tolist(),
        truth,
        labels,
        view.frame[1].flatten().tolist(),
        strict=True,
    ):
        assert (pixel, colour) == ((true, 9) if true in classes else (plain, 4))


def test_patches_are_whole_and_about_as_many_as_asked() -> None:
    hidden = hidden_patches((320, 480), 0.7, 1 / 16, np.random.default_rng(0))
    assert hidden.shape == (320, 480)
    patches = hidden.reshape(16, 20, 24, 20).permute(0, 2, 1, 3).flatten(2)
    assert bool((patches == patches[..., :1]).all())
    # 384 patches: .7 with a standard deviation of .023.
    assert 0.6 < float(patches[..., 0].float().mean()) < 0.8


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 1), st.sampled_from([0.0, 1.0]))
def test_none_and_all(height: int, width: int, patch: float, ratio: float) -> None:
    hidden = hidden_patches((height, width), ratio, patch, np.random.default_rng(0))
    assert hidden.shape == (height, width)
    assert bool((hidden == bool(ratio)).all())


def test_hidden_pixels_have_the_mean_colour() -> None:
    frame = torch.tensor([[[0, 100]], [[20, 20]], [[255, 0]]], dtype=torch.uint8)
    shown = hide(frame, torch.tensor([[True, False]]))
    # 127.5 is rounded to the even number.
    assert shown[:, 0, 0].tolist() == [50, 20, 128]
    assert shown[:, 0, 1].tolist() == [100, 20, 0]


def test_only_one_frame_of_a_clip() -> None:
    labels = [torch.tensor([[t]], dtype=torch.int16) for t in range(3)]
    trust = [torch.tensor([[t / 4]]) for t in range(3)]
    found = only(Targets(labels, [], {1: 2}, True, "all", trust), 2)
    assert [each.item() for each in found.labels] == [2]
    assert [each.item() for each in found.confidence] == [0.5]
    assert only(Targets(labels, [], {}, True, "all"), 1).confidence == []


@pytest.mark.parametrize("wrong", [{"ratio": 1.5}, {"patch": 0.0}, {"weight": 0.0}])
def test_what_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        PatchMask(**wrong)
