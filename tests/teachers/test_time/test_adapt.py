"""Training a propagator on its video: what it learns, when it stops, what it leaves alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import AdaptationError, Frame, InputError, Progress, Prompt, PropagationError
from ditta_adapt.teachers.matching import MatchingPropagator
from ditta_adapt.teachers.test_time import Objective, TrainablePropagator, adapt_propagator
from ditta_adapt.teachers.test_time.adapt import MOST, _Run
from ditta_adapt.teachers.test_time.objectives import copy_loss
from tests.teachers.brightness_propagator import BrightnessPropagator
from tests.teachers.matching.scenes import background, square
from tests.teachers.test_time.networks import TrainableBrightness, TrainableMixing


def colours(frame: Tensor) -> list[Tensor]:
    image = frame.float()[None] / 255
    return [F.avg_pool2d(image, 3, 1, 1)]


def matching() -> MatchingPropagator:
    return MatchingPropagator(colours, cells=24)


def scene(length: int, *, hidden_from: int = 99) -> tuple[list[np.ndarray], Tensor]:
    """A square that moves, and its mask in the first frame."""
    frames, first = [], None
    for t in range(length):
        frame = background()
        mask = square(frame, 12, 8 + t, (170, 100, 90)) if t < hidden_from else None
        first = mask if first is None else first
        frames.append(frame)
    assert first is not None
    return frames, torch.from_numpy(first)[None]


def masks_of(propagator: Any, frames: Sequence[Frame], masks: Tensor) -> Tensor:
    with propagator.open(frames) as session:
        session.prompt(0, [Prompt.on(mask, n) for n, mask in enumerate(masks, start=1)])
        found = [session.propagate(t - 1, t).masks for t in range(1, len(frames))]
    return torch.stack(found)


@pytest.mark.parametrize("objective", ["mask_cycle", "entropy"])
def test_the_loss_falls_and_the_propagator_stays_as_it_was(objective: Objective) -> None:
    frames, masks = scene(14)
    propagator = matching()
    before = masks_of(propagator, frames, masks)
    trained, report = adapt_propagator(
        propagator, frames, masks, objective=objective, iterations=12, learning_rate=0.01
    )
    assert len(report.losses) == report.iterations == 12
    assert len(report.held_out) == 3
    assert np.mean(report.losses[-4:]) < np.mean(report.losses[:4])
    assert torch.equal(masks_of(propagator, frames, masks), before)
    # What was learned counts in sessions of the new one.
    network = trained.training_copy(frames).network  # type: ignore[attr-defined]
    fresh = propagator.training_copy(frames).network
    pairs = zip(network.parameters(), fresh.parameters(), strict=True)
    assert not all(torch.equal(*pair) for pair in pairs)
    assert masks_of(trained, frames, masks).shape == before.shape


def test_untrained_it_is_matching_without_weights() -> None:
    frames, masks = scene(6)
    propagator = matching()
    network = propagator.training_copy(frames)
    assert isinstance(propagator, TrainablePropagator)
    same = propagator.trained(network)
    assert torch.equal(masks_of(same, frames, masks), masks_of(propagator, frames, masks))


@pytest.mark.parametrize("objective", ["mask_cycle", "mask_autoencoder"])
def test_an_encoder_that_trains(objective: Objective) -> None:
    """Features are computed anew in every step, or the second one would have no graph."""
    frames, masks = scene(8)
    trained, report = adapt_propagator(
        TrainableBrightness(), frames, masks, objective=objective, iterations=15
    )
    assert np.mean(report.losses[-4:]) < np.mean(report.losses[:4])
    network = trained.network  # type: ignore[attr-defined]
    # An auto-encoder looks at no features here.
    moved = not torch.equal(network.colours, TrainableMixing().colours)
    assert moved == (objective == "mask_cycle")


def test_what_an_objective_has_nothing_to_train_of() -> None:
    frames, masks = scene(8)
    with pytest.raises(InputError, match="TrainableBrightness has nothing that 'entropy'"):
        adapt_propagator(TrainableBrightness(), frames, masks, objective="entropy")
    with pytest.raises(InputError, match="MatchingPropagator has nothing that 'mask_auto"):
        adapt_propagator(matching(), frames, masks, objective="mask_autoencoder")


def test_trained_on_a_coarse_grid_where_the_video_has_a_fine_one() -> None:
    frames, _ = scene(3)
    network = MatchingPropagator(colours, cells=96).training_copy(frames)
    finer = MatchingPropagator(colours, cells=24).training_copy(frames)
    frame = torch.from_numpy(frames[0]).permute(2, 0, 1)
    assert max(network.prepare(frame).shape[1:]) == 48
    assert max(finer.prepare(frame).shape[1:]) == 24


def test_goes_on_while_held_out_cycles_get_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MOST, "mask_cycle", 30)
    frames, masks = scene(14)
    _, report = adapt_propagator(matching(), frames, masks, learning_rate=0.01)
    best = int(np.argmin(report.held_out))
    assert report.iterations == 10 * best
    assert len(report.losses) == 10 * (len(report.held_out) - 1) <= 30
    # Too large steps make everything worse, and then nothing is kept.
    untouched, worse = adapt_propagator(matching(), frames, masks, learning_rate=300)
    assert worse.held_out[-1] > worse.held_out[0]
    assert worse.iterations == 0
    assert "best after 0 steps" in worse.reason
    assert torch.equal(masks_of(untouched, frames, masks), masks_of(matching(), frames, masks))


def test_repeats_bit_for_bit_and_the_callers_random_state_is_untouched() -> None:
    frames, masks = scene(8)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = adapt_propagator(matching(), frames, masks, iterations=5)[1]
    assert torch.equal(torch.rand(1), expected)
    assert adapt_propagator(matching(), frames, masks, iterations=5)[1].losses == first.losses
    other = adapt_propagator(matching(), frames, masks, iterations=5, seed=1)[1]
    assert other.losses != first.losses


@pytest.mark.parametrize("length", [1, 2])
def test_too_short_a_video_comes_back_untrained(length: int) -> None:
    frames, masks = scene(length)
    propagator = matching()
    trained, report = adapt_propagator(propagator, frames, masks)
    assert trained is propagator
    assert report.iterations == 0
    assert f"a video of {length} frames has no cycle of 3" in report.reason
    # What needs no cycle goes on.
    _, other = adapt_propagator(TrainableBrightness(), frames, masks, objective="mask_autoencoder")
    assert other.iterations == 20


@pytest.mark.parametrize("length", [3, 4])
def test_the_shortest_videos_end(length: int) -> None:
    frames, masks = scene(length)
    assert adapt_propagator(matching(), frames, masks, iterations=2, jump=1)[1].iterations == 2


def test_weights_that_are_not_finite_are_refused_after_the_last_step() -> None:
    frames, masks = scene(8)
    with pytest.raises(AdaptationError, match="not finite; expected numbers"):
        adapt_propagator(matching(), frames, masks, iterations=1, learning_rate=1e30)


def test_longer_sequences_of_any_frames() -> None:
    frames, masks = scene(8)
    _, report = adapt_propagator(matching(), frames, masks, iterations=3, length=8, jump=None)
    assert len(report.losses) == 3
    _untrained, report = adapt_propagator(matching(), frames[:7], masks, length=8)
    assert report.iterations == 0
    assert "a video of 7 frames has no cycle of 8" in report.reason


def test_an_object_that_goes_for_good() -> None:
    frames, masks = scene(12, hidden_from=1)
    _, report = adapt_propagator(matching(), frames, masks, iterations=2)
    assert np.isfinite(report.losses).all()


def test_progress_is_told() -> None:
    frames, masks = scene(8)
    told: list[Progress] = []
    adapt_propagator(matching(), frames, masks, iterations=3, progress=told.append)
    assert [(each.done, each.total) for each in told] == [(1, 3), (2, 3), (3, 3)]


def test_works_under_no_grad() -> None:
    frames, masks = scene(8)
    with torch.no_grad():
        _, report = adapt_propagator(matching(), frames, masks, iterations=2)
    assert report.iterations == 2


def test_a_loss_that_is_not_finite() -> None:
    frames, masks = scene(8)
    with pytest.raises(AdaptationError, match="not finite"):
        adapt_propagator(matching(), frames, masks, iterations=40, learning_rate=1e30)


def test_what_is_refused() -> None:
    frames, masks = scene(8)
    with pytest.raises(InputError, match="cannot be trained"):
        adapt_propagator(BrightnessPropagator(), frames, masks)
    with pytest.raises(InputError, match="no frames"):
        adapt_propagator(matching(), [], masks)
    for wrong in (masks.float(), masks[0], masks[:, :-1]):
        with pytest.raises(InputError, match="masks are"):
            adapt_propagator(matching(), frames, wrong)
    for empty in (masks[:0], torch.zeros_like(masks)):
        with pytest.raises(InputError, match="empty"):
            adapt_propagator(matching(), frames, empty)
    for options in (
        {"iterations": 0},
        {"learning_rate": 0.0},
        {"jump": 0},
        {"length": 2},
        {"learning_rate": np.inf},
    ):
        with pytest.raises(InputError, match="expected at least 1"):
            adapt_propagator(matching(), frames, masks, **options)  # type: ignore[arg-type]


def test_features_that_raise_are_named() -> None:
    frames, masks = scene(8)

    def broken(frame: Tensor) -> list[Tensor]:
        raise LookupError("no weights")

    with pytest.raises(PropagationError, match="its training: LookupError: no weights"):
        adapt_propagator(MatchingPropagator(broken), frames, masks)


def test_ends_where_a_cycle_closes_as_well_as_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MOST, "mask_cycle", 60)
    frames, masks = scene(14)
    # On cells of 5 pixels the square of 12 has soft edges.
    propagator = MatchingPropagator(colours, cells=13)
    floor = copy_loss(propagator.training_copy(frames).on_grid(masks))
    _, report = adapt_propagator(propagator, frames, masks, learning_rate=0.02)
    assert report.held_out[-1] <= floor < report.held_out[-2]
    assert report.iterations == len(report.losses) == 10 * (len(report.held_out) - 1) < 60
    assert f"after {report.iterations} steps the cycles" in report.reason


def test_the_floor_is_of_the_objects_that_are_judged() -> None:
    """Of more than six objects a step looks at six, so the others' soft edges do not count."""
    frames = [background() for _ in range(8)]
    masks = torch.zeros(9, *background().shape[:2], dtype=torch.bool)
    for number in range(9):
        masks[number, 5 * number : 5 * number + 3, 5:40] = True
    propagator = MatchingPropagator(colours, cells=16)
    run = _Run(propagator, frames, masks, "mask_cycle", None, 3, 10, 0)
    assert 0 < run._floor() < copy_loss(run._masks)


def test_autocast_around_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep casts of the weights of the first step."""
    frames, masks = scene(8)
    seen: list[bool] = []
    read = TrainableMixing.read

    def watched(self: TrainableMixing, *given: Any) -> Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return read(self, *given)

    monkeypatch.setattr(TrainableMixing, "read", watched)
    with torch.autocast("cpu", torch.bfloat16):
        adapt_propagator(TrainableBrightness(), frames, masks, iterations=2)
    assert seen
    assert not any(seen)
