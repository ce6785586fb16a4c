"""Dense votes against the formula, on motion that is known exactly."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import DenseVote, PropagationError
from ditta_adapt.progress import Progress, silent
from ditta_adapt.targets.dense_vote import dense_vote
from ditta_adapt.targets.targets import Targets


class Rolling:
    """The world moves one column right a frame; what comes in at the left has no source."""

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        valid = torch.ones(maps.shape[1:], dtype=torch.bool)
        valid[:, 0 if to > t else -1] = False
        return maps.roll(to - t, dims=2) * valid, valid


GREY = torch.full((3, 8, 14), 128, dtype=torch.uint8)
"""A frame whose colours fit everywhere, twice as large as the grid of the logits."""


def random_video(num_frames: int, seed: int = 0) -> list[Tensor]:
    """Logits of every frame."""
    generator = torch.Generator().manual_seed(seed)
    return list(3 * torch.randn(num_frames, 1, 3, 4, 7, generator=generator))


def run(video: list[Tensor], decay: float, frames: list[Tensor] | None = None) -> Targets:
    return dense_vote(
        Rolling(),
        video.__getitem__,
        frames or [GREY] * len(video),
        DenseVote(decay=decay, tolerance=0.1),
        silent,
    )


def votes_by_hand(logits: Tensor) -> np.ndarray:
    p = logits[0].double().softmax(0).numpy()
    entropy = -(p * np.log(p)).sum(0)
    return p * (1 - entropy / np.log(len(p)))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_equals_the_sum_over_all_frames(decay: float) -> None:
    """Every frame votes directly: g^|s-t| times its own votes, moved s-t columns."""
    video = random_video(5)
    targets = run(video, decay)
    for t in range(5):
        tally = np.zeros((3, 4, 7))
        for s in range(5):
            votes = votes_by_hand(video[s])
            for x in range(7):
                if 0 <= x + (t - s) < 7:
                    tally[:, :, x + (t - s)] += decay ** abs(s - t) * votes[:, :, x]
        first, second = np.sort(tally, axis=0)[::-1][:2]
        # The forward half is kept in 8 bits; only ties within that may go either way.
        clear = first - second > 0.02
        assert clear.mean() > 0.8
        assert (targets.labels[t].numpy() == tally.argmax(0))[clear].all()
        trust = np.minimum(2 * (first - second) / tally.sum(0), 1) ** 2
        # Votes are at most 3.5 here, so half a step of the 8 bits is 0.007, for every class; the
        # slope of the square is at most 2.
        error = 2 * 2 * 2 * 0.007 / tally.sum(0)
        assert (np.abs(targets.confidence[t].numpy() - trust) <= error + 1e-5).all()


def test_one_bad_frame_is_outvoted() -> None:
    good, bad = torch.zeros(2, 1, 3, 4, 7).unbind(0)
    good[:, 1] = 5
    bad[:, 2] = 1
    targets = run([good, good, bad, good, good], 0.9)
    assert targets.learnable
    assert (targets.labels[2] == 1).all()
    assert "changed 20.0% of the labels" in targets.source


def test_no_frame_of_another_scene_has_a_vote() -> None:
    """The bad frame is black among grey ones: what it says is its own, and fully its own."""
    good, bad = torch.zeros(2, 1, 3, 4, 7).unbind(0)
    good[:, 1] = 5
    bad[:, 2] = 0.5
    grey, black = GREY, torch.zeros_like(GREY)
    targets = run([good, good, bad, good, good], 0.9, [grey, grey, black, grey, grey])
    assert not targets.learnable
    assert (targets.labels[2] == 2).all()
    p = torch.tensor([0.0, 0.0, 0.5]).softmax(0)
    trust = (2 * (p[2] - p[1])).square().expand(4, 7)
    torch.testing.assert_close(targets.confidence[2], trust, rtol=0, atol=1e-5)


def test_confidence_by_hand() -> None:
    """Two frames, certain of two classes: 1 + g against each other; alone where none comes in."""
    video = []
    for c in (1, 2):
        video.append(torch.zeros(1, 3, 4, 7))
        video[-1][:, c] = 100
    targets = run(video, 0.5)
    assert [int(frame.unique()) for frame in targets.labels] == [1, 2]
    # Votes 1 against 0.5 where both see a cell, else 1 against nothing.
    for confidence, alone in zip(targets.confidence, (-1, 0), strict=True):
        expected = torch.full((4, 7), (2 * 0.5 / 1.5) ** 2)
        expected[:, alone] = 1.0
        torch.testing.assert_close(confidence, expected, rtol=0, atol=8e-3)


def test_targets_are_on_the_grid_of_the_logits() -> None:
    targets = run(random_video(3), 0.9)
    assert [frame.shape for frame in targets.labels] == [(4, 7)] * 3
    assert [frame.dtype for frame in targets.labels] == [torch.int16] * 3
    assert [frame.shape for frame in targets.confidence] == [(4, 7)] * 3
    assert all(((trust >= 0) & (trust <= 1)).all() for trust in targets.confidence)
    assert targets.object_ids == []
    assert targets.classes == {}


@pytest.mark.parametrize("num_frames", [1, 4])
def test_agreement_teaches_nothing(num_frames: int) -> None:
    certain = torch.zeros(1, 3, 4, 7)
    certain[:, 1] = 100
    targets = run([certain] * num_frames, 0.9)
    assert not targets.learnable
    assert all((frame == 1).all() for frame in targets.labels)
    for trust in targets.confidence:
        torch.testing.assert_close(trust, torch.ones(4, 7))


def test_who_is_sure_of_nothing_is_not_trusted() -> None:
    """Equal probabilities everywhere: the first class wins, as in the model, by no margin."""
    targets = run([torch.zeros(1, 3, 4, 7)] * 3, 0.9)
    assert not targets.learnable
    for frame, trust in zip(targets.labels, targets.confidence, strict=True):
        assert (frame == 0).all()
        torch.testing.assert_close(trust, torch.zeros(4, 7))


def test_a_single_class_is_certain() -> None:
    targets = run([torch.zeros(1, 1, 4, 7)] * 2, 0.9)
    assert not targets.learnable
    for trust in targets.confidence:
        torch.testing.assert_close(trust, torch.ones(4, 7))


def test_progress_counts_both_directions() -> None:
    steps: list[Progress] = []
    video = random_video(3)
    dense_vote(
        Rolling(),
        video.__getitem__,
        [GREY] * 3,
        DenseVote(decay=0.9, tolerance=0.1),
        steps.append,
    )
    assert [(step.stage, step.done, step.total) for step in steps] == [
        ("track", done, 6) for done in range(1, 7)
    ]


def test_teacher_that_raises() -> None:
    class Broken:
        def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            raise RuntimeError("lost")

    with pytest.raises(PropagationError, match=r"warp\(\.\.\., 0, 1\).*lost"):
        dense_vote(
            Broken(),
            random_video(3).__getitem__,
            [GREY] * 3,
            DenseVote(decay=0.9, tolerance=0.1),
            silent,
        )


def test_teacher_that_changes_the_shape(unchecked: None) -> None:
    class Halving:
        def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            return maps[:, ::2], torch.ones(2, 7, dtype=torch.bool)

    # Three classes, and the three colours that go with them.
    with pytest.raises(PropagationError, match=r"\(6, 2, 7\); expected.*\(6, 4, 7\)"):
        dense_vote(
            Halving(),
            random_video(2).__getitem__,
            [GREY] * 2,
            DenseVote(decay=0.9, tolerance=0.1),
            silent,
        )
