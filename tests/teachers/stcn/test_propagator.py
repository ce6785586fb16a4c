"""The whole propagator: the contract, objects that share pixels and come late, its training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import InputError, Prompt, wrap
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.teachers.stcn import StcnPropagator
from ditta_adapt.teachers.stcn.memory import StcnMemory
from ditta_adapt.teachers.stcn.training import StcnInTraining
from ditta_adapt.teachers.test_time import Objective, TrainablePropagator, adapt_propagator
from ditta_adapt.testing import check_propagator
from tests.teachers.matching.scenes import background, square
from tests.teachers.stcn.networks import tiny
from tests.toys import toy_segmenter, toy_video


def overlap(mask: Tensor, truth: np.ndarray) -> float:
    true = torch.from_numpy(truth)
    return float((mask & true).sum() / (mask | true).sum())


def large(scene: np.ndarray) -> np.ndarray:
    """A scene at the size of which the network knows things."""
    return np.ascontiguousarray(scene.repeat(5, axis=0).repeat(5, axis=1))


def test_keeps_the_contract() -> None:
    report = check_propagator(StcnPropagator, on_fail="report")
    assert report.ok, str(report)
    skipped = {result.name for result in report.results if result.status == "skipped"}
    assert skipped <= {"warp_contract", "warp_still"}


def test_objects_share_pixels_and_a_late_one_is_new() -> None:
    frames, first, second = [], [], []
    for t in range(8):
        frame = background()
        first.append(large(square(frame, 6, 4 + 3 * t, (220, 40, 40))))
        second.append(large(square(frame, 26, 40 - 3 * t, (40, 60, 220))))
        frames.append(large(frame))
    with StcnPropagator().open(frames) as session:
        session.prompt(0, [Prompt.on(torch.from_numpy(first[0]), 7)])
        for t in range(1, 4):
            session.propagate(t - 1, t)
        both = session.prompt(3, [Prompt.on(torch.from_numpy(second[3]), 2)])
        assert both.object_ids.tolist() == [7, 2]
        for t in range(4, 8):
            both = session.propagate(t - 1, t)
            assert not (both.masks[0] & both.masks[1]).any()
            assert overlap(both.masks[0], first[t]) > 0.75
            # Frames in which it had not begun do not say that it is not there.
            assert overlap(both.masks[1], second[t]) > 0.75


KEY = torch.zeros(1, 4, 1, 1)


def values(t: int, objects: int) -> Tensor:
    return torch.arange(objects).view(-1, 1, 1, 1) * 10.0 + t


def test_memory_is_bounded_and_keeps_where_objects_began() -> None:
    memory = StcnMemory(every=2, most=3, top_k=9)
    memory.begin(0, KEY, values(0, 1))
    for t in range(2, 20, 2):
        memory.add(t, KEY, values(t, 1))
    assert [float(each.values) for each in memory.since] == [14, 16, 18]
    for _ in range(5):
        memory.begin(30, KEY, values(30, 1))
    assert len(memory.begins) == 6
    assert len(memory.since) == 3


def test_who_began_late_is_looked_for_since_then_alone() -> None:
    memory = StcnMemory(every=2, most=4, top_k=9)
    memory.begin(0, KEY, values(0, 1))
    memory.add(2, KEY, values(2, 1))
    memory.begin(3, KEY, values(40, 2))
    # All keys are the same, so that what is found is the mean of what is remembered.
    torch.testing.assert_close(memory.read(4, KEY).flatten(), torch.tensor([1.0, 40.0, 50.0]))
    memory.add(4, KEY, values(4, 3))
    torch.testing.assert_close(memory.read(5, KEY).flatten(), torch.tensor([2.0, 27.0, 37.0]))


def test_an_object_is_looked_for_as_far_as_it_can_have_come() -> None:
    memory = StcnMemory(every=2, most=4, top_k=400)
    key = torch.zeros(1, 4, 20, 20)
    marked = torch.zeros(1, 1, 20, 20)
    marked[..., 10, 10] = 1
    memory.begin(0, key, marked)
    # All keys are the same: the mark is found by a share of each cell from which it is in reach.
    for t, cells in ((1, 6), (5, 8), (35, 20)):  # .32, .4 and 1 of 20 cells
        found = memory.read(t, key)[0, 0, 10] > 0
        # Row 10, where the mark is in column 10: as many columns to both sides, if there are.
        assert found.sum() == min(10, cells) + 1 + min(9, cells)
        assert (memory.read(-t, key)[0, 0, 10] > 0).equal(found)
    # On a coarse grid at least in the cells around: a step may end in any of them.
    coarse = StcnMemory(every=2, most=4, top_k=400)
    coarse.begin(0, key[..., :3, :5], marked[..., 9:12, 8:13])
    assert (coarse.read(1, key[..., :3, :5]) > 0).sum() == 9
    anywhere = StcnMemory(every=2, most=4, top_k=400, local=False)
    anywhere.begin(0, key, marked)
    assert (anywhere.read(1, key) > 0).all()


def test_what_is_found_does_not_depend_on_how_many_are_decoded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [np.random.default_rng(t).integers(0, 255, (48, 64, 3), np.uint8) for t in range(3)]
    regions = torch.zeros(3, 48, 64, dtype=torch.bool)
    for number in range(3):
        regions[number, 10 : 10 + 8 * (number + 1), 20 * number : 20 * number + 15] = True

    def masks() -> list[Tensor]:
        with StcnPropagator(tiny()).open(frames) as session:
            session.prompt(0, [Prompt.on(region, n) for n, region in enumerate(regions)])
            return [session.propagate(t, t + 1).masks for t in range(2)]

    together = masks()
    monkeypatch.setattr("ditta_adapt.teachers.stcn.session._AT_ONCE", 2)
    # Sums of floats depend on how they are split.
    pairs = zip(together, masks(), strict=True)
    assert all(float((one == other).float().mean()) > 0.995 for one, other in pairs)


def test_by_its_name_and_as_a_teacher(tmp_path: Path) -> None:
    assert isinstance(find_propagator("stcn-small"), StcnPropagator)
    with pytest.raises(InputError, match="no such file"):
        find_propagator(f"stcn:{tmp_path / 'stcn.pth'}")
    frames = toy_video(6)
    model = wrap(toy_segmenter(), propagator=StcnPropagator(tiny()))
    assert len(list(model.segment(frames, warmup=3))) == 6


def test_a_given_network_and_the_callers_random_state_stay() -> None:
    network = tiny().train()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    propagator = StcnPropagator(network)
    StcnPropagator()
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not propagator.network.training
    assert not any(parameter.requires_grad for parameter in propagator.network.parameters())


def test_defaults_of_the_process_play_no_part() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        network = StcnPropagator().network
    finally:
        torch.set_default_dtype(before)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.usefixtures("unchecked")
def test_options_out_of_range() -> None:
    for options in ({"shorter_side": 8}, {"every": 0}, {"most": 0}, {"top_k": 0}, {"every": 2.5}):
        with pytest.raises(InputError, match="expected integers of at least 16"):
            StcnPropagator(tiny(), **options)


def test_what_was_trained_follows_as_before() -> None:
    options = {"shorter_side": 64, "every": 3, "most": 4, "top_k": 5, "local": False}
    propagator = StcnPropagator(tiny(), **options)  # type: ignore[arg-type]
    trained = propagator.trained(StcnInTraining(propagator.network, (64, 64)))
    assert {name: getattr(trained, name) for name in options} == options


@pytest.mark.parametrize("objective", ["mask_cycle", "entropy", "mask_autoencoder"])
def test_training_on_a_video(objective: Objective) -> None:
    frames, masks = [], []
    for t in range(6):
        frame = background()
        masks.append(large(square(frame, 12, 8 + 2 * t, (170, 100, 90))))
        frames.append(large(frame))
    propagator = StcnPropagator()
    assert isinstance(propagator, TrainablePropagator)
    before = {name: tensor.clone() for name, tensor in propagator.network.state_dict().items()}
    trained, report = adapt_propagator(
        propagator, frames, torch.from_numpy(masks[0])[None], objective=objective, iterations=3
    )
    assert len(report.losses) == 3
    after = trained.network.state_dict()  # type: ignore[attr-defined]
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert all(torch.equal(propagator.network.state_dict()[name], before[name]) for name in before)
    # Statistics stand still in all of them; by entropy nothing but their scale and shift moves.
    assert not [name for name in changed if "running" in name or "tracked" in name]
    assert changed
    if objective == "entropy":
        assert all(".bn" in name or "downsample.1" in name for name in changed)
    if objective == "mask_autoencoder":
        # Nothing is matched.
        assert "key.weight" not in changed
        assert "mask.weight" in changed
    assert not any(p.requires_grad for p in trained.network.parameters())  # type: ignore[attr-defined]
