"""When adapted weights are left, and when they are taken up again."""

import pytest
import torch
from torch import Tensor

from ditta_adapt.safety.drift_monitor import SECOND_OPINION, Watch, change_limit


def grey(value: int) -> Tensor:
    return torch.full((3, 8, 9), value, dtype=torch.uint8)


def test_nothing_happens_while_colours_fit() -> None:
    watch = Watch(limit=0.1, tolerance=0.1, usual=0.9)
    for _ in range(3):
        watch = watch.after(grey(10), grey(12), 0.9)
    assert watch.alarm is None
    assert watch.frames == 3


def test_a_cut_lasts_until_the_scene_is_back() -> None:
    watch = Watch(limit=0.1, tolerance=0.1, usual=0.9).after(grey(10), grey(200), 0.2)
    assert watch.alarm is not None
    assert "another scene" in watch.alarm
    # The new scene itself is steady.
    watch = watch.after(grey(200), grey(201), 1.0)
    assert watch.alarm is not None
    watch = watch.after(grey(201), grey(11), 0.1)
    assert watch.alarm is None


@pytest.mark.parametrize(("trust", "alarmed"), [(0.31, False), (0.29, True)])
def test_a_cut_is_half_of_the_usual_trust(trust: float, alarmed: bool) -> None:
    """In a noisy video trust is lower everywhere."""
    watch = Watch(limit=0.1, tolerance=0.1, usual=0.6).after(grey(10), grey(200), trust)
    assert (watch.alarm is not None) == alarmed


def test_collapse_lasts_until_the_next_opinion() -> None:
    watch = Watch(limit=0.1, tolerance=0.1)
    assert watch.wants_opinion
    watch = watch.with_opinion(0.11)
    assert watch.alarm is not None
    assert "change more" in watch.alarm
    watch = watch.after(grey(1), grey(1), 1.0)
    assert watch.alarm is not None
    assert not watch.wants_opinion
    for _ in range(SECOND_OPINION - 1):
        watch = watch.after(grey(1), grey(1), 1.0)
    assert watch.wants_opinion
    assert watch.with_opinion(0.1).alarm is None


def test_limit_follows_the_flicker() -> None:
    assert change_limit(0.0) == 0.1
    assert change_limit(0.05) == pytest.approx(0.2)
