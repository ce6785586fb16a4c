"""Scales at which a model sees little are found by what its other looks say, and left out."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from ditta_adapt.safety.doubted_scales import doubted_scales

CLASSES, SIZE = 4, (24, 32)


def noisy(truth: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    wrong = random.random(truth.shape) < share
    return np.where(wrong, random.integers(0, CLASSES, truth.shape), truth)


def doubted(usual: list[np.ndarray], views: list[dict[float, np.ndarray]]) -> tuple[float, ...]:
    shown = [{s: torch.from_numpy(v).to(torch.uint8) for s, v in each.items()} for each in views]
    return doubted_scales([torch.from_numpy(each) for each in usual], shown, CLASSES)


def seen(
    shares: Mapping[float, float], frames: int, usual: float = 0.2, seed: int = 0
) -> tuple[list[np.ndarray], list[dict[float, np.ndarray]]]:
    random = np.random.default_rng(seed)
    plain, views = [], []
    for _ in range(frames):
        truth = np.kron(random.integers(0, CLASSES, (3, 4)), np.ones((8, 8), int))
        plain.append(noisy(truth, usual, random))
        views.append({scale: noisy(truth, share, random) for scale, share in shares.items()})
    return plain, views


def iou(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    both = [((labels == c) & (others == c)).sum() for c in range(CLASSES)]
    either = [((labels == c) | (others == c)).sum() for c in range(CLASSES)]
    return np.array([b / e if e else 1.0 for b, e in zip(both, either, strict=True)])


def differences(plain: np.ndarray, views: Mapping[float, np.ndarray], scale: float) -> float:
    """The formula, in numpy."""
    found = []
    for other, view in views.items():
        if other != scale:
            areas = [[(x == c).sum() for c in range(CLASSES)] for x in (views[scale], plain, view)]
            weight = np.sqrt(np.max(areas, axis=0))
            own, alone = iou(views[scale], view), iou(plain, view)
            found.append(np.average(own - alone, weights=weight))
    return float(np.mean(found))


def test_the_one_that_the_others_speak_against() -> None:
    shares = {0.75: 0.1, 1.5: 0.15, 2.0: 0.7}
    assert doubted(*seen(shares, frames=8)) == (2.0,)


@pytest.mark.parametrize("seed", range(8))
def test_as_the_formula_says_one_after_the_other(seed: int) -> None:
    shares = {0.5: 0.3, 0.75: 0.22, 1.5: 0.24, 2.0: 0.26}
    plain, views = seen(shares, frames=5, seed=seed)
    kept, expected = list(shares), []
    while len(kept) > 1:
        sure = {}
        for scale in kept:
            own = [{s: each[s] for s in kept} for each in views]
            found = [differences(plain[t], own[t], scale) for t in range(5)]
            # Student's t with four degrees of freedom.
            if np.mean(found) + 2.776 * np.std(found, ddof=1) / np.sqrt(5) < 0:
                sure[scale] = np.mean(found)
        if not sure:
            break
        expected.append(min(sure, key=lambda scale: sure[scale]))
        kept.remove(expected[-1])
    assert doubted(plain, views) == tuple(expected)


def test_one_that_sees_nothing_does_not_speak_against_those_that_do() -> None:
    # At .75 and at 1.5 times the size more is seen than as usual, at the others nothing.
    plain, views = seen({0.75: 0.1, 1.5: 0.1}, frames=8, usual=0.3)
    blind = np.random.default_rng(1).integers(0, CLASSES, plain[0].shape)
    worse = [each | {2.0: blind, 3.0: blind[::-1].copy()} for each in views]
    assert set(doubted(plain, worse)) == {2.0, 3.0}


def test_the_last_one_stays() -> None:
    shares = {0.5: 0.9, 1.5: 0.8, 2.0: 0.95}
    assert len(doubted(*seen(shares, frames=8, usual=0.1))) == 2
    assert doubted(*seen({2.0: 0.9}, frames=8)) == ()
    assert doubted([], []) == ()


def test_two_frames_are_not_enough() -> None:
    assert doubted(*seen({0.75: 0.2, 1.5: 0.2, 2.0: 0.9}, frames=2)) == ()


def test_frames_of_a_video_count_once() -> None:
    plain, views = seen({0.75: 0.2, 1.5: 0.2, 2.0: 0.9}, frames=8)
    shown = [{s: torch.from_numpy(v) for s, v in each.items()} for each in views]
    known = [torch.from_numpy(each) for each in plain], shown, CLASSES
    assert doubted_scales(*known) == (2.0,)
    assert doubted_scales(*known, [0] * 4 + [1] * 4) == ()
    assert doubted_scales(*known, [0, 0, 1, 1, 2, 2, 3, 3]) == (2.0,)


def test_a_scale_may_be_missing_on_some_frames() -> None:
    plain, views = seen({0.75: 0.1, 1.5: 0.1, 2.0: 0.8}, frames=8)
    some = [{s: v for s, v in each.items() if s != 2.0 or t % 2} for t, each in enumerate(views)]
    assert doubted(plain, some) == (2.0,)
    few = [{s: v for s, v in each.items() if s != 2.0 or t < 2} for t, each in enumerate(views)]
    assert doubted(plain, few) == ()
