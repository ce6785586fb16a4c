import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.scoring import ClassVote, class_scores

CLASSES = 4
quick = settings(max_examples=40, deadline=None)
weights = st.sampled_from([0.0, 0.3, 0.8, 1.0, 2.5])
Video = tuple[Tensor, Tensor, Tensor]


@st.composite
def videos(draw: st.DrawFn, min_objects: int = 0) -> Video:
    """Masks (some empty), labels (some classes absent, or one everywhere) and reliability."""
    t, n = draw(st.integers(1, 3)), draw(st.integers(min_objects, 3))
    h, w = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    present = draw(st.integers(1, CLASSES))
    density = draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    masks = torch.rand(t, n, h, w, generator=generator) < density
    labels = torch.randint(0, present, (t, h, w), generator=generator)
    reliability = (torch.rand(t, h, w, generator=generator) * 1.4 - 0.2).clamp(0, 1)
    return masks, labels, reliability


def eq_4(video: Video, area_weight: float, rarity_weight: float) -> np.ndarray:
    """The formula, one object, class and pixel at a time."""
    masks, labels, reliability = (m.numpy() for m in video)
    scores = np.zeros((masks.shape[1], CLASSES))
    for o, c in np.ndindex(scores.shape):
        reliabilities, pixels = [], 0
        for t, y, x in np.ndindex(labels.shape):
            if masks[t, o, y, x]:
                pixels += 1
                if labels[t, y, x] == c:
                    reliabilities.append(float(reliability[t, y, x]))
        if reliabilities:
            area = len(reliabilities) / pixels
            rare = 1 - np.count_nonzero(labels == c) / labels.size
            mean = sum(reliabilities) / len(reliabilities)
            scores[o, c] = mean * area**area_weight * rare**rarity_weight
    return scores


@quick
@given(video=videos(), area_weight=weights, rarity_weight=weights)
def test_it_equals_eq_4(video: Video, area_weight: float, rarity_weight: float) -> None:
    scores = class_scores(*video, CLASSES, area_weight=area_weight, rarity_weight=rarity_weight)
    assert scores.dtype == torch.float64
    assert ((scores >= 0) & (scores <= 1)).all()
    expected = eq_4(video, area_weight, rarity_weight)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=0, atol=1e-12)


@quick
@given(video=videos(), area_weight=weights, rarity_weight=weights)
def test_frame_by_frame_is_the_same(video: Video, area_weight: float, rarity_weight: float) -> None:
    """Objects come and go and change places between frames; ids need not start at 0."""
    masks, labels, reliability = video
    vote = ClassVote(CLASSES)
    for t in range(len(labels)):
        order = torch.arange(masks.shape[1]).roll(t)
        visible = order[masks[t, order].flatten(1).any(dim=1)]
        # The dtypes in which stage A keeps its predictions.
        vote.add(10 * visible + 7, masks[t, visible], labels[t].to(torch.uint8), reliability[t])
    scores = vote.scores(area_weight=area_weight, rarity_weight=rarity_weight)
    whole = class_scores(*video, CLASSES, area_weight=area_weight, rarity_weight=rarity_weight)
    seen = masks.any(dim=0).flatten(1).any(dim=1).nonzero().flatten().tolist()
    assert sorted(scores) == [10 * o + 7 for o in seen]
    for o in seen:
        torch.testing.assert_close(scores[10 * o + 7], whole[o], rtol=0, atol=1e-15)


@quick
@given(video=videos(), data=st.data())
def test_order_of_frames_and_objects_does_not_matter(video: Video, data: st.DataObject) -> None:
    masks, labels, reliability = video
    frames = data.draw(st.permutations(range(len(labels))))
    objects = data.draw(st.permutations(range(masks.shape[1])))
    scores = class_scores(masks[frames][:, objects], labels[frames], reliability[frames], CLASSES)
    expected = class_scores(*video, CLASSES)[objects]
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-14)


@quick
@given(video=videos(min_objects=1), data=st.data())
def test_renaming_classes_renames_scores(video: Video, data: st.DataObject) -> None:
    masks, labels, reliability = video
    names = torch.tensor(data.draw(st.permutations(range(CLASSES))))
    scores = class_scores(masks, names[labels], reliability, CLASSES)
    expected = class_scores(*video, CLASSES)
    torch.testing.assert_close(scores[:, names], expected, rtol=0, atol=1e-14)


def test_by_hand() -> None:
    """2 frames of 4 pixels; the mask covers 4 pixels: three of class 0, one of class 1."""
    masks = torch.tensor([[[[1, 1, 1, 0]]], [[[1, 0, 0, 0]]]], dtype=torch.bool)
    labels = torch.tensor([[[0, 0, 1, 2]], [[0, 2, 2, 2]]])
    reliability = torch.tensor([[[0.5, 1.0, 1.0, 1.0]], [[0.75, 1.0, 1.0, 1.0]]])
    scores = class_scores(masks, labels, reliability, 3)
    first = 0.75 * 0.75**0.3 * (1 - 3 / 8) ** 0.8
    second = 1.0 * 0.25**0.3 * (1 - 1 / 8) ** 0.8
    assert scores[0].tolist() == pytest.approx([first, second, 0.0], abs=1e-15)


def test_the_default_exponents_are_those_of_the_paper() -> None:
    video = (torch.rand(2, 2, 5, 5) < 0.5, torch.randint(0, 4, (2, 5, 5)), torch.rand(2, 5, 5))
    expected = class_scores(*video, CLASSES, area_weight=0.3, rarity_weight=0.8)
    assert torch.equal(class_scores(*video, CLASSES), expected)


@pytest.mark.parametrize(("rarity_weight", "expected"), [(0.8, 0.0), (1e-3, 0.0), (0.0, 0.5)])
def test_a_class_that_fills_everything(rarity_weight: float, expected: float) -> None:
    masks = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    labels, reliability = torch.full((2, 3, 3), 1), torch.full((2, 3, 3), 0.5)
    scores = class_scores(masks, labels, reliability, 3, rarity_weight=rarity_weight)
    assert scores.tolist() == [[0.0, expected, 0.0]]


@pytest.mark.parametrize("area_weight", [0.0, 0.3])
def test_a_class_that_is_absent_from_the_mask_scores_zero(area_weight: float) -> None:
    """0 ** 0 would be 1: class 1 is in the frame but not in the mask, class 2 nowhere."""
    masks = torch.tensor([[[[True, False]]]])
    scores = class_scores(
        masks, torch.tensor([[[0, 1]]]), torch.ones(1, 1, 2), 3, area_weight=area_weight
    )
    assert scores[0, 0] > 0
    assert scores[0, 1:].tolist() == [0.0, 0.0]


def test_an_empty_mask_scores_zero() -> None:
    masks = torch.zeros(2, 2, 2, 2, dtype=torch.bool)
    masks[1, 1, 0, 0] = True
    scores = class_scores(masks, torch.tensor([0, 1] * 4).view(2, 2, 2), torch.ones(2, 2, 2), 2)
    assert scores[0].tolist() == [0.0, 0.0]
    assert scores[1, 0] > 0


def test_no_object_gives_no_row() -> None:
    masks = torch.zeros(1, 0, 2, 2, dtype=torch.bool)
    scores = class_scores(masks, torch.zeros(1, 2, 2, dtype=torch.int64), torch.ones(1, 2, 2), 3)
    assert scores.shape == (0, 3)


def test_frames_without_a_mask_count_for_rarity() -> None:
    vote = ClassVote(2)
    mask, none = torch.ones(1, 1, 1, dtype=torch.bool), torch.zeros(0, 1, 1, dtype=torch.bool)
    zero, one = torch.tensor([[0]]), torch.tensor([[1]])
    vote.add(torch.tensor([5]), mask, zero, torch.ones(1, 1))
    assert vote.scores(area_weight=1, rarity_weight=1)[5].tolist() == [0.0, 0.0]
    vote.add(torch.tensor([], dtype=torch.int64), none, one, torch.ones(1, 1))
    assert vote.scores(area_weight=1, rarity_weight=1)[5].tolist() == [0.5, 0.0]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("masks", "labels", "reliability", "message"),
    [
        ((2, 1, 3, 3), (2, 3, 4), (2, 3, 4), "masks has shape"),
        ((3, 1, 3, 3), (2, 3, 3), (2, 3, 3), "masks has shape"),
        ((2, 3, 3), (2, 3, 3), (2, 3, 3), "masks has shape"),
        ((2, 1, 3, 3), (2, 3, 3), (2, 3, 4), "labels has shape"),
    ],
)
def test_shapes_that_do_not_belong_together(
    masks: tuple[int, ...], labels: tuple[int, ...], reliability: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        class_scores(
            torch.ones(masks, dtype=torch.bool),
            torch.zeros(labels, dtype=torch.int64),
            torch.ones(reliability),
            3,
        )


@pytest.mark.parametrize("label", [-1, 3, 255])
def test_labels_out_of_range(label: int) -> None:
    masks, labels = torch.ones(1, 1, 1, 2, dtype=torch.bool), torch.tensor([[[0, label]]])
    with pytest.raises(InputError, match=rf"labels range from .*{label}.*\[0, 3\)"):
        class_scores(masks, labels, torch.ones(1, 1, 2), 3)


@pytest.mark.parametrize("name", ["area_weight", "rarity_weight"])
def test_negative_weights(name: str) -> None:
    masks, labels = torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 1, 1).long()
    with pytest.raises(InputError, match=f"{name}.* -0.1"):
        class_scores(masks, labels, torch.ones(1, 1, 1), 3, **{name: -0.1})
