"""The whole propagator: the contract, objects that hide, share pixels and come late."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import InputError, Prompt, PropagationError, wrap
from ditta_adapt.teachers import TakesFeatures
from ditta_adapt.teachers.matching import MatchingPropagator, SegmenterFeatures
from ditta_adapt.teachers.matching.features import check_features
from ditta_adapt.testing import check_propagator
from tests.teachers.matching.scenes import background, square
from tests.toys import toy_segmenter, toy_video


def blurred(frame: Tensor) -> list[Tensor]:
    """Colours of a pixel and of what is around it."""
    image = frame.float()[None] / 255
    return [image, F.avg_pool2d(image, 5, 1, 2)]


def matching(**options: int) -> MatchingPropagator:
    return MatchingPropagator(blurred, **options)


def prompt(object_id: int, region: np.ndarray) -> Prompt:
    y, x = np.argwhere(region)[len(np.argwhere(region)) // 2]
    return Prompt(object_id, (int(x), int(y)), torch.from_numpy(region))


def overlap(mask: Tensor, truth: np.ndarray) -> float:
    true = torch.from_numpy(truth)
    return float((mask & true).sum() / (mask | true).sum())


def test_keeps_the_contract() -> None:
    report = check_propagator(lambda: matching(cells=32), on_fail="report")
    assert report.ok, str(report)
    skipped = [result.name for result in report.results if result.status == "skipped"]
    assert not skipped


def test_finds_again_what_was_hidden() -> None:
    frames, truth = [], []
    for t in range(12):
        frame = background()
        truth.append(square(frame, 12, 4 + 2 * t, (220, 40, 40)))
        if 4 <= t <= 6:  # Something covers it.
            frame[:, 8:36] = (60, 60, 60)
            truth[-1][:] = False
        frames.append(frame)
    with matching().open(frames) as session:
        session.prompt(0, [prompt(1, truth[0])])
        masks = [session.propagate(t - 1, t).masks[0] for t in range(1, 12)]
    assert not masks[5].any()
    assert overlap(masks[-1], truth[-1]) > 0.8


def test_objects_share_pixels_and_a_late_one_is_new() -> None:
    frames, first, second = [], [], []
    for t in range(8):
        frame = background()
        first.append(square(frame, 6, 4 + 3 * t, (220, 40, 40)))
        second.append(square(frame, 26, 40 - 3 * t, (40, 60, 220)))
        frames.append(frame)
    with matching().open(frames) as session:
        session.prompt(0, [prompt(7, first[0])])
        for t in range(1, 4):
            session.propagate(t - 1, t)
        both = session.prompt(3, [prompt(2, second[3])])
        assert both.object_ids.tolist() == [7, 2]
        for t in range(4, 8):
            both = session.propagate(t - 1, t)
            assert not (both.masks[0] & both.masks[1]).any()
            assert overlap(both.masks[0], first[t]) > 0.8
            # Frames in which it had not begun do not say that it is not there.
            assert overlap(both.masks[1], second[t]) > 0.8


def test_memory_is_bounded() -> None:
    frames = [background() for _ in range(14)]
    region = np.zeros((48, 64), bool)
    region[10:20, 10:20] = True
    with matching(most=4, every=2, cells=16).open(frames) as session:
        for t in range(14):
            if t % 3 == 0:
                session.prompt(t, [prompt(t + 1, np.roll(region, t, axis=1))])
            assert session._memory is not None
            assert len(session._memory.frames) <= 4
            if t < 13:
                session.propagate(t, t + 1)
        remembered = [each.t for each in session._memory.frames]
    assert remembered[-1] == 13
    assert session._memory is None


def test_a_segmenter_gives_its_features() -> None:
    segmenter, frames = toy_segmenter(), toy_video(6)
    propagator = MatchingPropagator()
    assert isinstance(propagator, TakesFeatures)
    with pytest.raises(InputError, match="no features"), propagator.open(frames):
        pass
    model = wrap(segmenter, propagator=propagator)
    model.adapt(frames[:4])
    assert model(frames[4]).shape == frames[4].shape[:2]
    with propagator.open(frames) as session:
        maps = SegmenterFeatures(segmenter)(torch.from_numpy(frames[0]).permute(2, 0, 1))
        # All their channels, and three of colours.
        assert session.features(0).shape[0] == sum(each.shape[1] for each in maps) + 3


def test_by_its_name() -> None:
    frames = toy_video(6)
    labels = list(wrap(toy_segmenter(), propagator="matching").segment(frames, warmup=3))
    assert len(labels) == 6


@pytest.mark.parametrize(
    "options",
    [{"cells": 7}, {"cells": 513}, {"top_k": 0}, {"temperature": 0}, {"every": 0}, {"most": 2}],
)
def test_arguments_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected 8 to 512"):
        matching(**options)


def test_features_that_are_no_function() -> None:
    with pytest.raises(InputError, match="expected a function"):
        check_features("dinov2")


def nothing(frame: Tensor) -> list[Tensor]:
    return []


def flat(frame: Tensor) -> list[Tensor]:
    return [frame.float()]


def not_finite(frame: Tensor) -> list[Tensor]:
    return [torch.full((1, 2, 4, 4), float("nan"))]


@pytest.mark.parametrize(
    ("features", "message"),
    [(nothing, "empty"), (flat, "map 0"), (not_finite, "not finite")],
)
def test_features_that_are_no_maps(features: object, message: str) -> None:
    frames: Sequence[np.ndarray] = toy_video(2)
    propagator = MatchingPropagator(features)  # type: ignore[arg-type]
    with propagator.open(frames) as session, pytest.raises(PropagationError, match=message):
        session.features(0)


@pytest.mark.parametrize("cells", [8, 12, 24])
def test_masks_have_the_edges_of_the_frame_and_not_of_cells(cells: int) -> None:
    """A square of 12 pixels, on cells of up to 8; without colours the overlap is .5 to .9."""
    frames, truth = [], []
    for t in range(6):
        frames.append(background())
        truth.append(square(frames[-1], 12, 4 + 3 * t, (220, 40, 40)))
    with matching(cells=cells).open(frames) as session:
        session.prompt(0, [prompt(1, truth[0])])
        for t in range(1, 6):
            assert overlap(session.propagate(t - 1, t).masks[0], truth[t]) > 0.97


def test_more_objects_than_are_resized_at_once_share_a_frame() -> None:
    """Twenty squares that stand still: each keeps its own pixels, and nobody else's."""
    frame, regions = background(), []
    for number in range(20):
        colour = (20 + 11 * number, 250 - 12 * number, 90 + 8 * (number % 5))
        place = 2 + 12 * (number // 5), 2 + 12 * (number % 5)
        regions.append(square(frame, *place, colour))
    with matching(cells=32).open([frame, frame.copy()]) as session:
        session.prompt(0, [prompt(n, region) for n, region in enumerate(regions, start=1)])
        masks = session.propagate(0, 1).masks
    assert (masks.sum(dim=0) <= 1).all()
    for mask, region in zip(masks, regions, strict=True):
        assert overlap(mask, region) > 0.7


def test_another_default_dtype_changes_nothing() -> None:
    frames = toy_video(3)
    region = np.zeros(frames[0].shape[:2], bool)
    region[4:12, 4:12] = True

    def masks() -> Tensor:
        with matching(cells=16).open(frames) as session:
            session.prompt(0, [prompt(1, region)])
            return session.propagate(0, 1).masks

    expected = masks()
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(masks(), expected)
    finally:
        torch.set_default_dtype(torch.float32)
