"""Propagators that warp colours to where they do not fit are found out."""

import numpy as np
import pytest

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    DenseVote,
    MaskVote,
    PropagationError,
    SelfLabels,
    WarpedVotes,
    wrap,
)
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.safety.propagator_check import WarpCheck, check_warp
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import StillPropagator, toy_segmenter

# A texture that moves two columns to the right a frame, on an endless loop.
TEXTURE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
VIDEO = [np.roll(TEXTURE, 2 * t, axis=1) for t in range(6)]


def fit_of(step: int, frames: list[np.ndarray]) -> WarpCheck:
    with ShiftPropagator(step).open(frames) as session:
        return check_warp(session, frames_to_tensors(frames), tolerance=0.1)


def test_who_sees_the_motion_fits_better_than_standing_still() -> None:
    fit = fit_of(2, VIDEO)
    # All but the two columns that have no source fit exactly.
    assert fit.warped == pytest.approx(22 / 24, abs=0.02)
    assert fit.at_rest < 0.6
    assert fit.good(0.1)


def test_who_sees_motion_in_a_still_video_does_not_fit() -> None:
    fit = fit_of(5, [TEXTURE] * 4)
    assert fit.at_rest == 1
    assert fit.warped < 0.6
    assert not fit.good(0.1)


def test_a_single_frame_says_nothing_against_a_teacher() -> None:
    assert fit_of(5, VIDEO[:1]) == WarpCheck(1.0, 1.0)
    assert WarpCheck(1.0, 1.0).good(0.0)


def test_its_carry_is_not_used_and_the_report_says_so() -> None:
    model = wrap(toy_segmenter(), propagator=ShiftPropagator(step=5))
    report = model.adapt([TEXTURE] * 4)
    # What is doubted does less: nothing is tracked in its place.
    assert report.config.memory is None
    assert report.config.targets is None
    assert not report.adapted
    assert "warping is not used" in report.reason
    raw = wrap(toy_segmenter(), propagator=ShiftPropagator(5), config=AdaptConfig(safety=None))
    assert raw.adapt([TEXTURE] * 4).config.memory == WarpedVotes()
    asked = wrap(
        toy_segmenter(), propagator=ShiftPropagator(5), config=AdaptConfig(memory=WarpedVotes())
    )
    assert asked.adapt([TEXTURE] * 4).config.memory is None


def test_the_teacher_decides_what_is_left_to_it() -> None:
    # Two columns of the frame are one of the decoder's grid.
    for teacher, targets, memory in (
        (ShiftPropagator(1), DenseVote(), WarpedVotes()),
        (StillPropagator(), MaskVote(), AttentionAddon()),
    ):
        report = wrap(toy_segmenter(), propagator=teacher).adapt(VIDEO)
        assert report.config.targets == targets
        assert report.config.memory == memory


@pytest.mark.parametrize("memory", [None, AttentionAddon()])
def test_a_propagator_that_nobody_needs_is_not_opened(memory: AttentionAddon | None) -> None:
    teacher = ShiftPropagator()
    config = AdaptConfig(targets=SelfLabels(), memory=memory)
    wrap(toy_segmenter(), propagator=teacher, config=config).adapt(VIDEO)
    assert teacher.opened == []


def test_a_teacher_that_cannot_even_open() -> None:
    class Busy:
        def open(self, frames: object) -> object:
            raise RuntimeError("busy")

    model = wrap(toy_segmenter(), propagator=Busy())
    with pytest.raises(PropagationError, match=r"open.*RuntimeError: busy"):
        model.adapt(VIDEO)


def test_sessions_are_closed() -> None:
    teacher = ShiftPropagator(1)
    model = wrap(toy_segmenter(), propagator=teacher)
    model.adapt(VIDEO[:4])
    assert teacher.closed == len(teacher.opened) > 0
    model(VIDEO[4])
    assert teacher.closed == len(teacher.opened) - 1
    model(VIDEO[5])
    assert teacher.closed == len(teacher.opened) - 1
    model.clear_memory()
    assert teacher.closed == len(teacher.opened)
