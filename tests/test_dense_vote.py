"""Dense votes against the formula, on motion that is known exactly."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import PropagationError
from ditta_adapt.dense_vote import dense_targets
from ditta_adapt.predictions import FrozenPrediction
from ditta_adapt.progress import silent


class Rolling:
    """The world moves one column right a frame; what comes in at the left has no source."""

    def carry(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        valid = torch.ones(maps.shape[1:], dtype=torch.bool)
        valid[:, 0 if to > t else -1] = False
        return maps.roll(to - t, dims=2) * valid, valid


def random_video(num_frames: int, seed: int = 0) -> list[Tensor]:
    """Logits of every frame."""
    generator = torch.Generator().manual_seed(seed)
    return list(3 * torch.randn(num_frames, 1, 3, 4, 7, generator=generator))


def predictions_of(video: list[Tensor]) -> list[FrozenPrediction]:
    return [FrozenPrediction(z[0].argmax(0).to(torch.uint8), torch.ones(4, 7)) for z in video]


def run(video: list[Tensor], decay: float) -> tuple[list[Tensor], bool]:
    predictions = predictions_of(video)
    targets = dense_targets(Rolling(), video.__getitem__, predictions, decay=decay, progress=silent)
    return targets.labels, targets.learnable


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_equals_the_sum_over_all_frames(decay: float) -> None:
    """Every frame votes directly: g^|s-t| times its own votes, moved s-t columns."""
    video = random_video(5)
    labels, _ = run(video, decay)
    for t in range(5):
        tally = np.zeros((3, 4, 7))
        for s in range(5):
            p = video[s][0].double().softmax(0).numpy()
            entropy = -(p * np.log(p)).sum(0)
            votes = p * (1 - entropy / np.log(3))
            for x in range(7):
                if 0 <= x + (t - s) < 7:
                    tally[:, :, x + (t - s)] += decay ** abs(s - t) * votes[:, :, x]
        first, second = np.sort(tally, axis=0)[::-1][:2]
        # The forward half is kept in 8 bits; only ties within that may go either way.
        clear = first - second > 0.02
        assert clear.mean() > 0.8
        assert (labels[t].numpy() == tally.argmax(0))[clear].all()


def test_one_bad_frame_is_outvoted() -> None:
    good, bad = torch.zeros(2, 1, 3, 4, 7).unbind(0)
    good[:, 1] = 5
    bad[:, 2] = 1
    labels, learnable = run([good, good, bad, good, good], 0.9)
    assert learnable
    assert (labels[2] == 1).all()


@pytest.mark.parametrize("num_frames", [1, 4])
def test_agreement_teaches_nothing(num_frames: int) -> None:
    certain = torch.zeros(1, 3, 4, 7)
    certain[:, 1] = 100
    labels, learnable = run([certain] * num_frames, 0.9)
    assert not learnable
    assert all((frame == 1).all() for frame in labels)


def test_no_vote_at_all_keeps_the_models_own_label() -> None:
    """Equal probabilities everywhere: nothing is reliable, all tallies are 0."""
    even = torch.zeros(1, 3, 4, 7)
    own = FrozenPrediction(torch.full((4, 7), 2, dtype=torch.uint8), torch.zeros(4, 7))
    targets = dense_targets(Rolling(), lambda t: even, [own] * 3, decay=0.9, progress=silent)
    assert not targets.learnable
    assert all((frame == 2).all() for frame in targets.labels)


def test_teacher_that_raises() -> None:
    class Broken:
        def carry(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            raise RuntimeError("lost")

    video = random_video(3)
    predictions = predictions_of(video)
    with pytest.raises(PropagationError, match=r"carry\(\.\.\., 0, 1\).*lost"):
        dense_targets(Broken(), video.__getitem__, predictions, decay=0.9, progress=silent)


def test_teacher_that_changes_the_shape(unchecked: None) -> None:
    class Halving:
        def carry(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            return maps[:, ::2], torch.ones(2, 7, dtype=torch.bool)

    video = random_video(2)
    with pytest.raises(PropagationError, match=r"\(3, 2, 7\); expected.*\(3, 4, 7\)"):
        dense_targets(
            Halving(), video.__getitem__, predictions_of(video), decay=0.9, progress=silent
        )
