"""Carried votes against the formula in double precision, on motion that is known exactly."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import PropagationError, WarpedVotes
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.teachers.checked_calls import warp_maps
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.teachers.warped_votes import warp_votes
from tests.targets.test_dense_vote import Rolling

quick = settings(max_examples=40, deadline=None)
CLASSES, GRID = 3, (2, 4)
# Every cell of the grid is 2 x 3 pixels.
SIZE = (4, 12)


def step(
    votes: Tensor,
    before: Tensor,
    frame: Tensor,
    logits: Tensor,
    options: WarpedVotes,
    steps: tuple[int, int] = (0, 1),
    session: DenseWarper | None = None,
) -> tuple[Tensor, float]:
    """The memory after one more frame, and how well colours fitted."""
    warp = partial(warp_maps, session or Rolling(), t=steps[0], to=steps[1])
    grid = (votes.shape[1], votes.shape[2])
    colours = [colours_on_grid(each, grid) for each in (before, frame)]
    past, fit = past_votes(warp, votes, colours[0], colours[1], options)
    return update_memory(past, soft_votes(logits)), float(fit)


def random_logits(num_frames: int, seed: int, scale: float = 3.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(scale * torch.randn(num_frames, 1, CLASSES, *GRID, generator=generator))


def random_frames(num_frames: int, seed: int) -> list[Tensor]:
    """A world that roughly moves as `Rolling` says: one cell, so three pixels, a frame."""
    rng = np.random.default_rng(seed)
    world = rng.integers(0, 256, (3, *SIZE))
    frames = []
    for t in range(num_frames):
        noise = rng.integers(-40, 41, world.shape)
        moved = np.roll(world, 3 * t, axis=2)
        frames.append(torch.from_numpy(np.clip(moved + noise, 0, 255).astype(np.uint8)))
    return frames


def votes_by_hand(logits: Tensor) -> np.ndarray:
    """`R p`, with `R` normalised by `ln C` and at least 1e-6."""
    p = np.exp(logits[0].double().numpy())
    p /= p.sum(axis=0)
    entropy = -(p * np.log(p)).sum(axis=0)
    return p * np.maximum(1 - entropy / np.log(len(p)), 1e-6)


def trust_by_hand(frames: tuple[Tensor, Tensor], step: int, tolerance: float) -> np.ndarray:
    """Of what `Rolling` carries one cell to the right (`step` 1) or left (-1)."""
    height, width = GRID
    source, target = (
        f.double().numpy().reshape(3, height, 2, width, 3).mean(axis=(2, 4)) / 255 for f in frames
    )
    valid = np.ones(GRID, dtype=bool)
    valid[:, 0 if step > 0 else -1] = False
    difference = (np.roll(source, step, axis=2) - target) * valid
    trust = np.zeros(GRID)
    for y, x in np.ndindex(*GRID):
        near = slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2)
        # Of the cells around, those with a source.
        around = difference[:, near[0], near[1]].sum(axis=(1, 2)) / valid[near].sum()
        error = np.abs(around).mean()
        trust[y, x] = np.exp(-((error / tolerance) ** 2)) * valid[y, x]
    return trust


def moved_by_hand(
    votes: np.ndarray, frames: tuple[Tensor, Tensor], step: int, decay: float, tolerance: float
) -> np.ndarray:
    return decay * trust_by_hand(frames, step, tolerance) * np.roll(votes, step, axis=2)


@quick
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 1e-4, 1.0, 5.0]))
def test_own_votes_are_probabilities_by_reliability(seed: int, scale: float) -> None:
    (logits,) = random_logits(1, seed, scale)
    votes = soft_votes(logits)
    np.testing.assert_allclose(votes.numpy(), votes_by_hand(logits), rtol=1e-5, atol=1e-6)
    assert (votes.sum(dim=0) > 0).all()
    assert (votes.sum(dim=0) <= 1 + 1e-6).all()


def test_own_votes_by_hand() -> None:
    """Certain: the whole vote. Undecided among two of four: half of it. Undecided: next to none."""
    logits = torch.tensor([[200.0, 0, 0, 0], [200.0, 200.0, 0, 0], [5.0, 5.0, 5.0, 5.0]])
    votes = soft_votes(logits.T.reshape(1, 4, 1, 3))
    expected = torch.tensor([[1.0, 0, 0, 0], [0.25, 0.25, 0, 0], [2.5e-7] * 4]).T.reshape(4, 1, 3)
    torch.testing.assert_close(votes, expected, rtol=1e-5, atol=1e-7)
    # A frame that is sure of nothing still speaks for itself: beside nothing this is a whole.
    torch.testing.assert_close(votes[:, 0, 2] / votes[:, 0, 2].sum(), torch.full((4,), 0.25))


def test_own_votes_of_half_precision_logits() -> None:
    (logits,) = random_logits(1, seed=0)
    votes = soft_votes(logits.bfloat16())
    assert votes.dtype == torch.float32
    torch.testing.assert_close(votes, soft_votes(logits.bfloat16().float()))


@quick
@given(
    seed=st.integers(0, 10**6),
    step=st.sampled_from([-1, 1]),
    decay=st.floats(0, 1),
    tolerance=st.floats(0.03, 1),
)
def test_warped_votes_equal_the_formula(
    seed: int, step: int, decay: float, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    votes = 5 * torch.rand(CLASSES, *GRID, generator=generator)
    first, second = random_frames(2, seed)
    pair = (first, second) if step > 0 else (second, first)
    steps = (4, 5) if step > 0 else (5, 4)
    warp = partial(warp_maps, Rolling(), t=steps[0], to=steps[1])
    colours = [colours_on_grid(frame, GRID) for frame in pair]
    warped, fit = warp_votes(warp, votes, *colours, decay=decay, tolerance=tolerance)
    expected = moved_by_hand(votes.double().numpy(), pair, step, decay, tolerance)
    np.testing.assert_allclose(warped.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert float(fit) == pytest.approx(trust_by_hand(pair, step, tolerance).mean(), abs=1e-5)


@quick
@given(seed=st.integers(0, 10**6), decay=st.floats(0, 1), tolerance=st.floats(0.03, 1))
def test_remembering_equals_the_formula(seed: int, decay: float, tolerance: float) -> None:
    logits, frames = random_logits(5, seed), random_frames(5, seed)
    options = WarpedVotes(decay=decay, tolerance=tolerance)
    votes = soft_votes(logits[0])
    expected = votes_by_hand(logits[0])
    for t in range(1, 5):
        votes, fit = step(votes, frames[t - 1], frames[t], logits[t], options, (t - 1, t))
        past = moved_by_hand(expected, (frames[t - 1], frames[t]), 1, decay, tolerance)
        expected = votes_by_hand(logits[t]) + past
        trust = trust_by_hand((frames[t - 1], frames[t]), 1, tolerance)
        assert fit == pytest.approx(trust.mean(), abs=1e-5)
        np.testing.assert_allclose(votes.numpy(), expected, rtol=1e-4, atol=1e-5)
        assert (votes.sum(dim=0) > 0).all()


def remembered(
    votes: Tensor, before: Tensor, frame: Tensor, logits: Tensor, decay: float = 1.0
) -> Tensor:
    return step(votes, before, frame, logits, WarpedVotes(decay=decay, tolerance=0.1))[0]


def test_a_cut_is_forgotten() -> None:
    first, second = random_logits(2, seed=1)
    black, white = (torch.full((3, *SIZE), v, dtype=torch.uint8) for v in (0, 255))
    votes = soft_votes(first)
    assert torch.equal(remembered(votes, black, white, second), soft_votes(second))
    # Where colours fit, the past counts in all cells but the first column, which has no source.
    kept = remembered(votes, black, black, second) - soft_votes(second)
    assert (kept[..., 0] == 0).all()
    torch.testing.assert_close(kept[..., 1:], soft_votes(first)[..., :-1])


def test_decay_0_has_no_memory() -> None:
    first, second = random_logits(2, seed=2)
    frames = random_frames(2, seed=2)
    args = (soft_votes(first), *frames, second)
    assert torch.equal(remembered(*args, decay=0.0), soft_votes(second))
    assert not torch.equal(remembered(*args, decay=0.5), soft_votes(second))


def test_one_bad_frame_is_outvoted_and_a_change_of_mind_is_not() -> None:
    frame = torch.full((3, *SIZE), 90, dtype=torch.uint8)
    good, bad = torch.zeros(2, 1, CLASSES, *GRID).unbind(0)
    good[:, 1] = 5
    bad[:, 2] = 5
    votes = soft_votes(good)
    winners = []
    for logits in (good, good, bad, bad, bad):
        votes = remembered(votes, frame, frame, logits, decay=0.8)
        winners.append(int(votes[:, 0, -1].argmax()))
    # All votes weigh alike here: 1.8, 2.44; then 1.95 against 1, 1.56 against 1.8.
    assert winners == [1, 1, 1, 2, 2]


def test_inputs_are_left_alone() -> None:
    logits, frames = random_logits(2, seed=3), random_frames(2, seed=3)
    votes = soft_votes(logits[0])
    kept = [x.clone() for x in (votes, *logits, *frames)]
    remembered(votes, *frames, logits[1])
    assert all(map(torch.equal, kept, (votes, *logits, *frames)))


def test_the_first_frame_speaks_for_itself() -> None:
    (votes,) = (soft_votes(logits) for logits in random_logits(1, seed=6))
    assert update_memory(None, votes) is votes


def test_teacher_that_raises() -> None:
    class Broken:
        def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            raise RuntimeError("lost")

    logits, frames = random_logits(2, seed=4), random_frames(2, seed=4)
    votes = soft_votes(logits[0])
    with pytest.raises(PropagationError, match=r"warp\(\.\.\., 3, 4\).*lost"):
        step(votes, *frames, logits[1], WarpedVotes(), (3, 4), Broken())


def test_teacher_that_answers_at_another_size(unchecked: None) -> None:
    class AtFrameSize:
        def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
            return torch.zeros(len(maps), *SIZE), torch.ones(SIZE, dtype=torch.bool)

    logits, frames = random_logits(2, seed=5), random_frames(2, seed=5)
    votes = soft_votes(logits[0])
    with pytest.raises(PropagationError, match=r"\(6, 4, 12\); expected.*\(6, 2, 4\)"):
        step(votes, *frames, logits[1], WarpedVotes(), (0, 1), AtFrameSize())
