"""Sizes that are left are trusted, but for larger ones alone, and a single one that is unsure."""

import numpy as np
import pytest
import torch

from ditta_adapt import SecondLook
from ditta_adapt.models.second_look import Views
from ditta_adapt.safety.trust import Trust, trust

CLASSES = 4
LOOK = SecondLook(warmup_scales=(0.75, 1.5, 2.0), scales=(0.75, 1.5))


def frames(
    shares: dict[float, float], surer: dict[float, list[float]] | None = None, count: int = 8
) -> list[Views]:
    """Shares of each scale's labels that are wrong; how much surer it is than usual, by frame."""
    random = np.random.default_rng(0)
    found = []
    for t in range(count):
        truth = np.kron(random.integers(0, CLASSES, (3, 4)), np.ones((8, 8), int))

        def seen(share: float, truth: np.ndarray = truth) -> torch.Tensor:
            wrong = random.random(truth.shape) < share
            labels = np.where(wrong, random.integers(0, CLASSES, truth.shape), truth)
            return torch.from_numpy(labels)

        confidences = {scale: 0.6 + each[t] for scale, each in (surer or {}).items()}
        others = {scale: seen(share) for scale, share in shares.items()}
        found.append(
            Views(seen(0.2), others, {1.0: 0.6, **dict.fromkeys(shares, 0.6)} | confidences)
        )
    return found


def test_all_are_trusted_where_none_is_doubted() -> None:
    assert trust(LOOK, frames({0.75: 0.2, 1.5: 0.2, 2.0: 0.2}), CLASSES) == Trust(LOOK)
    assert trust(LOOK, [], CLASSES) == Trust(LOOK)


def test_those_that_are_left_are() -> None:
    found = trust(LOOK, frames({0.75: 0.1, 1.5: 0.1, 2.0: 0.8}), CLASSES)
    assert found.look == SecondLook(warmup_scales=(0.75, 1.5), scales=(0.75, 1.5))
    assert found.doubted == (2.0,)
    assert found.note() == (
        "second looks go without scale 2.0, where the model's other looks speak against what it "
        "says"
    )


def test_but_not_larger_ones_alone() -> None:
    found = trust(LOOK, frames({0.75: 0.8, 1.5: 0.1, 2.0: 0.1}), CLASSES)
    assert found == Trust(None, (0.75,))
    assert "no size below the usual one is left; larger ones alone" in found.note()


WORSE = [-0.02, -0.01, -0.03, -0.02, -0.02, -0.01, -0.03, -0.02]
MIXED = [-0.02, 0.03, -0.04, 0.02, -0.02, 0.01, -0.03, 0.02]


@pytest.mark.parametrize(
    ("surer", "trusted"),
    [(WORSE, False), (MIXED, True), ([0.02] * 8, True), ([0.0] * 8, True)],
)
def test_nor_a_single_one_at_which_the_model_is_less_sure(
    surer: list[float], trusted: bool
) -> None:
    shares = {0.75: 0.1, 1.5: 0.85, 2.0: 0.9}
    found = trust(LOOK, frames(shares, {0.75: surer}), CLASSES)
    assert set(found.doubted) == {1.5, 2.0}
    assert (found.look is not None) == trusted
    if not trusted:
        assert found.left == 0.75
        assert "and it is less sure of itself at 0.75, which is left" in found.note()
    # Of two that are left each speaks of the other.
    two = frames({0.5: 0.1, 0.75: 0.1, 2.0: 0.9}, {0.5: WORSE, 0.75: WORSE})
    assert trust(SecondLook(warmup_scales=(0.5, 0.75, 2.0)), two, CLASSES).look is not None


def test_frames_of_a_video_count_once_for_how_sure_it_is() -> None:
    # Less on the frames of two videos out of three, which tell nothing for sure by their means.
    shares = {0.75: 0.1, 1.5: 0.85, 2.0: 0.9}
    surer = [-0.05, -0.05, -0.05, -0.05, -0.05, -0.05, 0.001, 0.001]
    seen = frames(shares, {0.75: surer})
    assert trust(LOOK, seen, CLASSES).look is None
    by_video = trust(LOOK, seen, CLASSES, [0, 0, 0, 1, 1, 1, 2, 2])
    assert by_video.look is not None
