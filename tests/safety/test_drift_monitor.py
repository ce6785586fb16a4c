"""When adapted weights are left, and when they are taken up again."""

import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, Checks, Verdict
from ditta_adapt.ops.photometric import photometric_consistency_at_rest
from ditta_adapt.safety.drift_monitor import DriftMonitor, monitor_of
from ditta_adapt.safety.guarded_training import Trained
from ditta_adapt.training.student import Student
from tests.toys import toy_segmenter

CHECKS = Checks(tolerance=0.1)


def grey(value: int) -> Tensor:
    return torch.full((3, 8, 9), value, dtype=torch.uint8)


def likeness(monitor: DriftMonitor, frame: Tensor) -> float:
    """Of a frame with the last one of the scene that was left."""
    assert monitor.left is not None
    return float(photometric_consistency_at_rest(frame, monitor.left, tolerance=0.1))


def test_nothing_happens_while_colours_fit() -> None:
    monitor = DriftMonitor(CHECKS, limit=0.1, usual=0.9)
    for _ in range(3):
        monitor = monitor.after(grey(10), 0.9, 1.0)
    assert monitor.alarm is None
    assert monitor.frames == 3


def test_a_cut_lasts_until_the_scene_is_back() -> None:
    monitor = DriftMonitor(CHECKS, limit=0.1, usual=0.9).after(grey(10), 0.2)
    assert monitor.alarm is not None
    assert "another scene" in monitor.alarm
    # The new scene itself is steady.
    monitor = monitor.after(grey(200), 1.0, 1.0, likeness(monitor, grey(201)))
    assert monitor.alarm is not None
    assert not monitor.cut
    monitor = monitor.after(grey(201), 0.1, 0.0, likeness(monitor, grey(11)))
    assert monitor.alarm is None
    assert monitor.cut


def test_every_further_cut_is_seen() -> None:
    """Before, a second one was not, until the first scene was back."""
    monitor = DriftMonitor(CHECKS, limit=0.1, usual=0.9).after(grey(10), 0.2)
    seen = []
    for frame, consistency, shared in ((200, 1.0, 1.0), (201, 0.1, 0.0), (90, 0.9, 1.0)):
        monitor = monitor.after(grey(frame), consistency, shared, 0.0)
        seen.append(monitor.cut)
        assert monitor.alarm is not None
    assert seen == [False, True, False]


@pytest.mark.parametrize(("shared", "cut"), [(1.0, False), (0.81, False), (0.79, True)])
def test_what_only_moves_too_fast_is_no_other_scene(shared: float, cut: bool) -> None:
    monitor = DriftMonitor(CHECKS, limit=0.1, usual=0.9).after(grey(10), 0.1, shared)
    assert (monitor.cut, monitor.alarm is not None) == (cut, cut)


@pytest.mark.parametrize(
    ("cut", "consistency", "alarmed"), [(0.5, 0.31, False), (0.5, 0.29, True), (0.2, 0.29, False)]
)
def test_a_cut_is_a_share_of_the_usual(cut: float, consistency: float, alarmed: bool) -> None:
    """In a noisy video consistency is lower everywhere."""
    monitor = DriftMonitor(Checks(cut=cut), limit=0.1, usual=0.6)
    assert (monitor.after(grey(10), consistency).alarm is not None) == alarmed


def test_the_start_of_a_stream_is_no_cut() -> None:
    assert DriftMonitor(CHECKS, limit=0.1).after(None, 0.0).alarm is None


def test_collapse_lasts_until_the_next_opinion() -> None:
    monitor = DriftMonitor(Checks(second_opinion_every=4), limit=0.1)
    monitor = monitor.after(None, 1.0)
    assert monitor.wants_second_opinion
    monitor = monitor.with_second_opinion(0.11)
    assert monitor.alarm is not None
    assert "change more" in monitor.alarm
    for _ in range(3):
        monitor = monitor.after(grey(1), 1.0)
        assert monitor.alarm is not None
        assert not monitor.wants_second_opinion
    monitor = monitor.after(grey(1), 1.0)
    assert monitor.wants_second_opinion
    assert monitor.with_second_opinion(0.1).alarm is None


@pytest.mark.parametrize(
    ("inconsistency", "checks", "limit"),
    [
        (0.0, Checks(), 0.1),
        (0.05, Checks(), 0.2),
        (0.05, Checks(drift_factor=2.0, least_drift=0.01), 0.1),
    ],
)
def test_the_limit_follows_the_inconsistency(
    inconsistency: float, checks: Checks, limit: float
) -> None:
    student = Student.pretrained(toy_segmenter())
    trained = Trained(student, [{"total": 1.0}], Verdict(1.0, "kept", inconsistency, 0.0))
    monitor = monitor_of(trained, AdaptConfig(safety=checks))
    assert monitor is not None
    assert monitor.limit == pytest.approx(limit)


def test_what_is_not_watched() -> None:
    student, loss = Student.pretrained(toy_segmenter()), [{"total": 1.0}]
    kept = Verdict(1.0, "kept", 0.1, 0.0)
    unchecked, once = AdaptConfig(safety=None), AdaptConfig(look=None)
    undone = Trained(student, loss, Verdict(0.0, "undone", 0.1, 0.0))
    assert monitor_of(Trained(student, loss, kept), unchecked) is None
    assert monitor_of(Trained(student, []), once) is None
    assert monitor_of(undone, once) is None
    # Second looks start anew in another scene, whatever was trained.
    assert monitor_of(Trained(student, []), AdaptConfig()) is not None
    assert monitor_of(undone, AdaptConfig()) is not None
