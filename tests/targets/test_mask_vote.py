import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import MaskVote
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.progress import Progress, silent
from ditta_adapt.targets.mask_vote import mask_vote, render
from ditta_adapt.targets.targets import IGNORE
from ditta_adapt.targets.tracking import Tracks
from ditta_adapt.teachers.packed_masks import PackedMasks
from ditta_adapt.teachers.propagator import Masks

CLASSES = 4
quick = settings(max_examples=40, deadline=None)
Video = tuple[list[Masks], list[FrozenPrediction]]


def masks_of(ids: list[int], *rows: list[int]) -> Masks:
    """Masks in a frame of one row."""
    masks = torch.tensor(rows, dtype=torch.bool).view(len(ids), 1, -1)
    return Masks(torch.tensor(ids, dtype=torch.int64), masks)


def frozen(labels: list[int], reliability: list[float]) -> FrozenPrediction:
    return FrozenPrediction(
        torch.tensor([labels], dtype=torch.uint8), torch.tensor([reliability], dtype=torch.float32)
    )


def tracks_of(count: int, masks: list[Masks]) -> Tracks:
    return Tracks(count, [PackedMasks.pack(frame) for frame in masks])


@st.composite
def paintings(draw: st.DrawFn) -> tuple[Masks, Tensor]:
    """Masks of some of seven objects, ordered by id, and scores with zeros and ties."""
    ids = sorted(draw(st.sets(st.integers(1, 7), max_size=5)))
    h, w = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    masks = torch.rand(len(ids), h, w, generator=generator) < 0.6
    scores = torch.randint(0, 4, (8,), generator=generator).double() / 4
    return Masks(torch.tensor(ids, dtype=torch.int64), masks), scores


@quick
@given(painting=paintings())
def test_render_puts_the_higher_score_on_top(painting: tuple[Masks, Tensor]) -> None:
    """Pixel by pixel; of equal scores the larger id."""
    masks, scores = painting
    canvas = render(masks, scores)
    assert canvas.dtype == torch.int64
    for y, x in np.ndindex(*canvas.shape):
        here = [
            (float(scores[o]), o)
            for o, mask in zip(masks.object_ids.tolist(), masks.masks, strict=True)
            if mask[y, x] and scores[o] > 0
        ]
        assert canvas[y, x] == (max(here)[1] if here else 0)


def test_of_equal_scores_the_larger_id_is_on_top_in_any_order() -> None:
    scores = torch.full((4,), 0.5, dtype=torch.float64)
    for ids in ([1, 3], [3, 1]):
        assert render(masks_of(ids, [1, 1], [1, 1]), scores).tolist() == [[3, 3]]


def test_render_by_hand() -> None:
    masks = masks_of([1, 2, 3], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 0, 1, 1, 0])
    scores = torch.tensor([0.0, 0.4, 0.3, 0.3], dtype=torch.float64)
    assert render(masks, scores).tolist() == [[1, 1, 1, 3, 0]]
    scores = torch.tensor([0.0, 0.4, 0.0, 0.5], dtype=torch.float64)
    assert render(masks, scores).tolist() == [[3, 1, 3, 3, 0]]


def test_render_without_objects() -> None:
    none = Masks(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2, 3, dtype=torch.bool))
    assert render(none, torch.zeros(1, dtype=torch.float64)).tolist() == [[0] * 3] * 2


@st.composite
def videos(draw: st.DrawFn) -> Video:
    """Up to five objects, each in a random part of the frames, and random predictions."""
    t, count = draw(st.integers(1, 3)), draw(st.integers(0, 5))
    h, w = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    masks, predictions = [], []
    for _ in range(t):
        listed = torch.rand(count, generator=generator) < 0.8
        ids = 1 + listed.nonzero().flatten()
        masks.append(Masks(ids, torch.rand(len(ids), h, w, generator=generator) < 0.5))
        labels = torch.randint(0, CLASSES, (h, w), generator=generator).to(torch.uint8)
        predictions.append(FrozenPrediction(labels, torch.rand(h, w, generator=generator)))
    return masks, predictions


def winners_by_hand(video: Video, config: MaskVote) -> dict[int, tuple[float, int]]:
    """Score and class of the winner of Eq. 4, by object; objects without a winner left out."""
    masks, predictions = video
    everything = np.stack([p.labels.numpy() for p in predictions])
    pixels: dict[int, list[tuple[int, float]]] = {}
    for frame, prediction in zip(masks, predictions, strict=True):
        for o, mask in zip(frame.object_ids.tolist(), frame.masks.numpy(), strict=True):
            labels, reliability = prediction.labels.numpy(), prediction.reliability.numpy()
            pixels.setdefault(o, []).extend(zip(labels[mask], reliability[mask], strict=True))
    winners = {}
    for o, seen in pixels.items():
        scores = []
        for c in range(CLASSES):
            values = [float(r) for label, r in seen if label == c]
            rare = 1 - np.mean(everything == c)
            if values:
                area = (len(values) / len(seen)) ** config.area_weight
                score = np.mean(values) * area * rare**config.rarity_weight
                scores.append((float(score), c))
        if scores and max(scores)[0] > 0:
            winners[o] = max(scores)
    return winners


@quick
@given(
    video=videos(),
    fill=st.sampled_from(["image_model", "ignore"]),
    rarity=st.sampled_from([0.0, 0.8]),
)
def test_targets_equal_a_loop_over_pixels(video: Video, fill: str, rarity: float) -> None:
    masks, predictions = video
    config = MaskVote(outside=fill, rarity_weight=rarity)
    targets = mask_vote(tracks_of(5, masks), predictions, CLASSES, config, silent)
    winners = winners_by_hand(video, config)
    for t, (frame, prediction) in enumerate(zip(masks, predictions, strict=True)):
        for y, x in np.ndindex(*prediction.labels.shape):
            here = [
                (*winners[o], o)
                for o, mask in zip(frame.object_ids.tolist(), frame.masks, strict=True)
                if o in winners and mask[y, x]
            ]
            # Ties between random scores occur only where two objects have the same pixels.
            _, label, top = max(here, key=lambda w: (w[0], w[2])) if here else (0, IGNORE, 0)
            if not here and fill == "image_model":
                label = int(prediction.labels[y, x])
            assert targets.object_ids[t][y, x] == top
            assert targets.labels[t][y, x] == label
    classes = [c for _, c in winners.values()]
    assert targets.classes == {c: classes.count(c) for c in set(classes)}
    assert targets.learnable == bool(winners)


def test_by_hand() -> None:
    """Object 1 flickers to class 2 for one pixel in six; object 2 lies over part of it."""
    masks = [
        masks_of([1], [1, 1, 1, 0]),
        masks_of([1, 2], [1, 1, 1, 0], [0, 0, 1, 1]),
    ]
    predictions = [frozen([1, 2, 1, 0], [0.5] * 4), frozen([1, 1, 3, 3], [0.5, 0.5, 1.0, 1.0])]
    config = MaskVote(area_weight=1.0, rarity_weight=0.0, outside="image_model")
    targets = mask_vote(tracks_of(2, masks), predictions, CLASSES, config, silent)
    # Object 1: class 1 has 4 of 6 pixels at 0.5, so 1/3, class 3 one at 1, so 1/6. Object 2: 1.
    assert [t.tolist() for t in targets.object_ids] == [[[1, 1, 1, 0]], [[1, 1, 2, 2]]]
    assert [t.tolist() for t in targets.labels] == [[[1, 1, 1, 0]], [[1, 1, 3, 3]]]
    assert targets.classes == {1: 1, 3: 1}
    assert targets.learnable
    assert targets.source == "2 tracked objects"
    alone = mask_vote(tracks_of(1, masks[:1]), predictions[:1], CLASSES, config, silent)
    assert alone.source == "1 tracked object"


@pytest.mark.parametrize(
    ("fill", "expected"), [("image_model", [2, 2, 1]), ("ignore", [IGNORE] * 3)]
)
def test_objects_without_a_class_teach_nothing(fill: str, expected: list[int]) -> None:
    """One object is never visible, no pixel of the other is reliable."""
    masks = [masks_of([1, 2], [1, 1, 0], [0, 0, 0])]
    predictions = [frozen([2, 2, 1], [0.0, 0.0, 1.0])]
    targets = mask_vote(
        tracks_of(2, masks),
        predictions,
        CLASSES,
        MaskVote(outside=fill),
        silent,
    )
    assert targets.object_ids[0].tolist() == [[0, 0, 0]]
    assert targets.labels[0].tolist() == [expected]
    assert targets.classes == {}
    assert not targets.learnable
    assert "none of 2" in targets.source


def test_a_class_that_fills_the_video_wins_only_without_rarity() -> None:
    masks, predictions = [masks_of([1], [1, 0])], [frozen([3, 3], [1.0, 1.0])]
    for rarity, learnable in ((0.8, False), (0.0, True)):
        config = MaskVote(rarity_weight=rarity)
        targets = mask_vote(tracks_of(1, masks), predictions, CLASSES, config, silent)
        assert targets.learnable == learnable


def test_no_object_at_all() -> None:
    masks = [Masks(torch.zeros(0).long(), torch.zeros(0, 1, 2).bool())]
    targets = mask_vote(
        tracks_of(0, masks), [frozen([1, 2], [0.5, 0.5])], CLASSES, MaskVote(), silent
    )
    assert not targets.learnable
    assert targets.labels[0].tolist() == [[1, 2]]
    assert "prompt" in targets.source


@pytest.mark.parametrize("count", [255, 256, 300])
def test_ids_of_many_objects_are_kept(count: int) -> None:
    """One pixel an object: 255 is the last id that fits into 8 bits."""
    masks = Masks(torch.arange(1, count + 1), torch.eye(count, dtype=torch.bool)[:, None])
    labels = torch.arange(count).remainder(200)
    prediction = FrozenPrediction(labels[None].to(torch.uint8), torch.ones(1, count))
    targets = mask_vote(tracks_of(count, [masks]), [prediction], 200, MaskVote(), silent)
    assert targets.object_ids[0].tolist() == [list(range(1, count + 1))]
    assert targets.labels[0].tolist() == [labels.tolist()]


def test_progress_is_reported_for_every_frame_twice() -> None:
    calls: list[Progress] = []
    masks = [masks_of([1], [1, 0])] * 3
    predictions = [frozen([1, 0], [1.0, 1.0])] * 3
    mask_vote(tracks_of(1, masks), predictions, CLASSES, MaskVote(), calls.append)
    assert calls == [Progress("targets", done, 6) for done in range(1, 7)]


def test_a_mask_is_trusted_as_far_as_it_is_of_one_class() -> None:
    """Votes .9 + .5 for class 1 and .6 for class 2: (2 (1.4 - .6) / 2)^2 = .64."""
    masks = [masks_of([1], [1, 1, 1, 0, 0])]
    predictions = [frozen([1, 1, 2, 0, 0], [0.9, 0.5, 0.6, 1.0, 1.0])]
    config = MaskVote()
    targets = mask_vote(tracks_of(1, masks), predictions, CLASSES, config, silent)
    assert targets.labels[0].tolist() == [[1, 1, 1, 0, 0]]
    (trust,) = targets.confidence
    np.testing.assert_allclose(trust.numpy(), [[0.64, 0.64, 0.64, 0, 0]], rtol=1e-5)
