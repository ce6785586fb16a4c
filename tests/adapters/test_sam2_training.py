"""SAM2 of transformers as what is trained on a video, with the shipped weights."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import InputError, Prompt
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.teachers.test_time import TrainablePropagator, adapt_propagator
from tests.adapters.sam2_video_models import small_model
from tests.adapters.small_sam2 import load_small_model

SIDE = 128


@pytest.fixture(scope="module")
def model() -> Any:
    return load_small_model(side=SIDE).requires_grad_(False)


def scene(length: int) -> tuple[list[np.ndarray], Tensor]:
    """A bright square and a dark one that move over noise; masks `(T, 2, H, W)`."""
    random = np.random.default_rng(0)
    ground = random.integers(90, 150, (SIDE, SIDE, 3)).astype(np.uint8)
    frames, masks = [], torch.zeros(length, 2, SIDE, SIDE, dtype=torch.bool)
    for t in range(length):
        masks[t, 0, 20 + t : 60 + t, 20 + 2 * t : 60 + 2 * t] = True
        masks[t, 1, 76 - t : 116 - t, 70 - t : 110 - t] = True
        frame = ground.copy()
        frame[masks[t, 0].numpy()] = (230, 220, 60)
        frame[masks[t, 1].numpy()] = (20, 30, 80)
        frames.append(frame)
    return frames, masks


def follow(teacher: Any, frames: list[np.ndarray], masks: Tensor) -> Tensor:
    with teacher.open(frames) as session:
        session.prompt(0, [Prompt.on(mask, n) for n, mask in enumerate(masks, start=1)])
        found = [session.propagate(t - 1, t).masks for t in range(1, len(frames))]
    return torch.stack(found)


def test_one_read_is_what_a_session_says_of_the_second_frame(model: Any) -> None:
    frames, masks = scene(20)
    teacher = Sam2TransformersPropagator(model, mask_prompts=True)
    network = teacher.training_copy(frames)
    first, second = (
        network.encode_frame(torch.from_numpy(frame).permute(2, 0, 1)) for frame in frames[:2]
    )
    with torch.no_grad():
        given = network.on_grid(masks[0])
        shares = network.read(second, [(first, network.encode_memory(first, given))]).softmax(dim=0)
    with teacher.open(frames) as session:
        session.prompt(0, [Prompt.on(mask, n) for n, mask in enumerate(masks[0], start=1)])
        found = session.propagate(0, 1).masks
    # There each object is alone, here they share pixels; and 1 is remembered as .9999.
    agree = (shares[1:] > 0.5) == found
    assert agree.float().mean() > 0.995
    assert found.float().mean() > 0.1


def test_two_frames_are_remembered_as_in_a_session(model: Any) -> None:
    frames, masks = scene(20)
    teacher = Sam2TransformersPropagator(model, mask_prompts=True)
    network = teacher.training_copy(frames)
    encoded = [network.encode_frame(torch.from_numpy(f).permute(2, 0, 1)) for f in frames[:3]]
    with torch.no_grad():
        memory = [(encoded[0], network.encode_memory(encoded[0], network.on_grid(masks[0])))]
        shares = network.read(encoded[1], memory).softmax(dim=0)[1:]
        memory.append((encoded[1], network.encode_memory(encoded[1], shares)))
        shares = network.read(encoded[2], memory).softmax(dim=0)[1:]
    found = follow(teacher, frames[:3] + frames[3:], masks[0])[1]
    assert ((shares > 0.5) == found).float().mean() > 0.995


def test_training_moves_the_weights_and_leaves_the_propagator(model: Any) -> None:
    frames, masks = scene(12)
    teacher = Sam2TransformersPropagator(model, mask_prompts=True)
    assert isinstance(teacher, TrainablePropagator)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained, report = adapt_propagator(
        teacher, frames, masks[0], iterations=6, learning_rate=1e-4, jump=3
    )
    assert np.mean(report.losses[-2:]) < np.mean(report.losses[:2])
    assert isinstance(trained, Sam2TransformersPropagator)
    assert trained.mask_prompts
    after = trained.model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    for part in ("vision_encoder", "memory_attention", "memory_encoder", "mask_decoder"):
        assert any(name.startswith(part) for name in moved), part
    now = model.state_dict()
    assert all(torch.equal(value, now[name]) for name, value in before.items())
    assert follow(trained, frames, masks[0]).shape == (11, 2, SIDE, SIDE)


def test_entropy_trains_normalisation_only(model: Any) -> None:
    frames, masks = scene(6)
    network = Sam2TransformersPropagator(model, mask_prompts=True).training_copy(frames)
    chosen = {id(parameter) for parameter in network.trained_by("entropy")}
    norms = [each for each in network.modules() if isinstance(each, nn.LayerNorm)]
    assert chosen == {id(parameter) for each in norms for parameter in each.parameters()}
    teacher = Sam2TransformersPropagator(model, mask_prompts=True)
    _, report = adapt_propagator(teacher, frames, masks[0], objective="entropy", iterations=2)
    assert np.isfinite(report.losses).all()


def test_every_mask_of_the_cycle_carries_a_gradient(model: Any) -> None:
    frames, masks = scene(3)
    network = Sam2TransformersPropagator(model, mask_prompts=True).training_copy(frames)
    first, second = (network.encode_frame(torch.from_numpy(f).permute(2, 0, 1)) for f in frames[:2])
    given = network.on_grid(masks[0]).mul(0.8).add(0.1).requires_grad_()
    logits = network.read(second, [(first, network.encode_memory(first, given))])
    loss = F.cross_entropy(logits[None], masks[1, 0].long()[None])
    (gradient,) = torch.autograd.grad(loss, given)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


def test_what_cannot_be_trained(model: Any) -> None:
    frames, masks = scene(4)
    teacher = Sam2TransformersPropagator(model, mask_prompts=True)
    with pytest.raises(InputError, match="nothing that 'mask_autoencoder' could train"):
        adapt_propagator(teacher, frames, masks[0], objective="mask_autoencoder")
    with pytest.warns(UserWarning, match="was not loaded"):
        other = Sam2TransformersPropagator(small_model("EdgeTamVideo"), mask_prompts=True)
    with pytest.raises(InputError, match="EdgeTamVideoModel cannot be trained"):
        adapt_propagator(other, frames, masks[0])
