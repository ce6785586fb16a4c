"""The Cutie teacher against its package's own loop, with random weights."""

import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import InputError, MissingDependencyError, Prompt, PropagationError
from ditta_adapt.adapters.cutie import CutiePropagator
from ditta_adapt.adapters.cutie.loading import build_network, configuration
from ditta_adapt.adapters.cutie.video import network_size
from ditta_adapt.teachers.test_time import (
    DecodesValues,
    Objective,
    TrainablePropagator,
    adapt_propagator,
)
from tests.adapters.cutie_networks import follow_in_package, small_cutie
from tests.toys import toy_video

# The package itself calls parts of torch by old names; ours keeps quiet of it.
OLD_NAMES = pytest.mark.filterwarnings("ignore:.*torch.cuda.amp:FutureWarning")


def blocks(size: tuple[int, int]) -> Tensor:
    """Two objects, numbered 3 and 7."""
    shown = torch.zeros(size, dtype=torch.int64)
    shown[4 : size[0] // 2, 6 : size[1] // 2] = 3
    shown[size[0] // 2 : size[0] - 3, size[1] // 2 : size[1] - 5] = 7
    return shown


def prompts_of(shown: Tensor) -> list[Prompt]:
    return [Prompt.on(shown == number, number) for number in shown.unique().tolist() if number]


def follow(teacher: CutiePropagator, frames: list[np.ndarray], shown: Tensor) -> Tensor:
    with teacher.open(frames) as session:
        assert torch.equal(
            session.prompt(0, prompts_of(shown)).masks, torch.stack([shown == 3, shown == 7])
        )
        found = [session.propagate(t - 1, t).masks for t in range(1, len(frames))]
    return torch.stack(found)


@OLD_NAMES
def test_masks_are_those_of_the_package() -> None:
    """Over more frames than it remembers."""
    frames, shown = toy_video(26, (96, 112)), blocks((96, 112))
    ours = follow(CutiePropagator(small_cutie()), frames, shown)
    for mine, theirs in zip(
        ours, follow_in_package(small_cutie(), frames, shown, [3, 7]), strict=True
    ):
        assert torch.equal(mine, torch.stack([theirs == 3, theirs == 7]))
    # Else the comparison would say nothing.
    assert 0 < ours.float().mean() < 1


@pytest.mark.parametrize("size", [(50, 37), (1, 7), (131, 90), (16, 400)])
def test_any_size(size: tuple[int, int]) -> None:
    frames = toy_video(4, size)
    region = torch.ones(size, dtype=torch.bool)
    with CutiePropagator(small_cutie(), shorter_side=64).open(frames) as session:
        session.prompt(0, [Prompt.on(region, 1)])
        masks = session.propagate(0, 1).masks
        assert masks.shape == (1, *size)
        assert session.features(1).shape[1:] == tuple(side // 16 for side in network_size(size, 64))


def test_the_size_the_network_sees() -> None:
    assert network_size((480, 854), 480) == (480, 848)
    assert network_size((480, 480), 480) == (480, 480)
    # 1080 to 480 is 4/9: 853.3.
    assert network_size((1080, 1920), 480) == (480, 848)
    assert network_size((9, 100), 480) == (16, 96)


def test_of_overlapping_regions_the_smaller_is_in_front() -> None:
    frames = toy_video(2, (64, 64))
    whole = torch.ones(64, 64, dtype=torch.bool)
    part = torch.zeros_like(whole)
    part[10:20, 10:20] = True
    with CutiePropagator(small_cutie()).open(frames) as session:
        masks = session.prompt(0, [Prompt.on(part, 2), Prompt.on(whole, 1)])
    assert masks.object_ids.tolist() == [2, 1]
    assert torch.equal(masks.masks, torch.stack([part, ~part]))


def test_weights_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cutie-small-mega.pth"
    torch.save(small_cutie().state_dict(), file)
    frames, shown = toy_video(3, (64, 80)), blocks((64, 80))
    before = torch.random.get_rng_state()
    found = follow(CutiePropagator.from_pretrained(file), frames, shown)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(found, follow(CutiePropagator(small_cutie()), frames, shown))


def test_the_base_model_is_told_by_its_weights(tmp_path: Path) -> None:
    file = tmp_path / "cutie.pth"
    network = build_network("base")
    torch.save(network.state_dict(), file)
    with (teacher := CutiePropagator(checkpoint=file)).open(toy_video(2, (64, 64))):
        assert teacher.network.ms_dims == [1024, 512, 256]
        assert not teacher.network.training
        # With gradients wanted, torch takes other kernels, which round otherwise.
        assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


def test_settings_are_those_of_the_package_on_davis() -> None:
    settings = configuration("base")
    assert (settings.mem_every, settings.max_mem_frames, settings.top_k) == (5, 5, 30)
    assert not settings.use_long_term


def test_what_is_no_weights_is_refused(tmp_path: Path) -> None:
    frames = toy_video(2, (64, 64))
    text, other, number = (tmp_path / name for name in ("text.pth", "other.pth", "number.pth"))
    text.write_text("no weights")
    torch.save({"weight": torch.zeros(3)}, other)
    torch.save(3, number)
    for file, message in {
        tmp_path / "absent.pth": "there is no such file",
        text: "cannot be read as weights",
        other: "does not fit Cutie",
        number: "holds a int, no weights",
    }.items():
        with (
            pytest.raises(InputError, match=message),
            CutiePropagator(checkpoint=file).open(frames),
        ):
            pass


def test_weights_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with (
        pytest.raises(PropagationError, match=r"no network.*give checkpoint"),
        CutiePropagator().open(toy_video(2, (64, 64))),
    ):
        pass


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cutie.model.cutie", None)
    with (
        pytest.raises(MissingDependencyError, match=r"rf-cutie is not.*ditta-adapt\[cutie\]"),
        CutiePropagator().open(toy_video(2, (64, 64))),
    ):
        pass


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="one of these only"):
        CutiePropagator(small_cutie(), checkpoint="cutie.pth")
    with pytest.raises(InputError, match="shorter_side is 15"):
        CutiePropagator(shorter_side=15)
    with pytest.raises(InputError, match="network is a Linear"):
        CutiePropagator(torch.nn.Linear(1, 1))
    with pytest.raises(InputError, match="in training mode"):
        CutiePropagator(build_network("small").train())
    with pytest.raises(InputError, match=r"network is in .*bfloat16"):
        CutiePropagator(build_network("small").bfloat16())


@pytest.mark.parametrize("objective", ["mask_cycle", "entropy", "mask_autoencoder"])
def test_training_moves_what_it_should_and_leaves_the_propagator(objective: Objective) -> None:
    frames, shown = toy_video(6, (64, 80)), blocks((64, 80))
    teacher = CutiePropagator(small_cutie())
    assert isinstance(teacher, TrainablePropagator)
    assert isinstance(teacher.training_copy(frames), DecodesValues)
    before = {name: value.clone() for name, value in small_cutie().state_dict().items()}
    trained, report = adapt_propagator(
        teacher,
        frames,
        torch.stack([shown == 3, shown == 7]),
        objective=objective,
        iterations=4,
        learning_rate=1e-4,
    )
    assert np.isfinite(report.losses).all()
    assert report.losses[-1] < report.losses[0]
    assert isinstance(trained, CutiePropagator)
    after = trained.network.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    now = small_cutie().state_dict()
    assert all(torch.equal(value, now[name]) for name, value in before.items())
    # Running statistics of batch normalisation stay, whatever is trained.
    assert not any("running" in name or "num_batches" in name for name in moved)
    convolutions = {name for name in moved if ".conv" in name or "proj" in name}
    assert bool(convolutions) == (objective != "entropy")
    assert any(name.startswith("pixel_encoder.") and ".bn" in name for name in moved)
    assert follow(trained, frames, shown).shape == (5, 2, 64, 80)


def test_one_read_is_what_the_package_says_of_the_second_frame() -> None:
    """In training all places count; so few are there that in a session they do, too."""
    frames, shown = toy_video(2, (64, 80)), blocks((64, 80))
    teacher = CutiePropagator(small_cutie())
    network = teacher.training_copy(frames)
    first, second = (
        network.encode_frame(torch.from_numpy(frame).permute(2, 0, 1)) for frame in frames
    )
    masks = network.on_grid(torch.stack([shown == 3, shown == 7]))
    with torch.no_grad():
        logits = network.read(second, [(first, network.encode_memory(first, masks))])
    found = follow(teacher, frames, shown)[0]
    labels = logits.argmax(dim=0)
    # A session rounds the masks it was given to 1e-7, so a tie may go the other way.
    same = torch.stack([labels == 1, labels == 2]) == found
    assert same.float().mean() > 0.999


def test_a_network_that_was_used_elsewhere_forgets_where() -> None:
    """The package keeps encodings of places, which do not move with its weights."""
    network = build_network("small")
    frames, shown = toy_video(3, (64, 80)), blocks((64, 80))
    expected = follow(CutiePropagator(network), frames, shown)
    kept = [module for module in network.modules() if hasattr(module, "cached_penc")]
    assert kept
    for module in kept:
        module.cached_penc = module.cached_penc.to("meta")
    assert torch.equal(follow(CutiePropagator(network), frames, shown), expected)
