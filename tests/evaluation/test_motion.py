"""Labels warped back onto the frame before."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import InputError
from ditta_adapt.evaluation.motion import NOWHERE, Motion
from tests.evaluation.moving_square import SIZE, STEP, KnownFlow, known, square


def two_frames(motion: Motion) -> Motion:
    for _ in range(2):
        motion.take(np.zeros((*SIZE, 3), np.uint8))
    return motion


def test_each_pixel_looks_up_where_it_has_gone_to() -> None:
    motion = two_frames(Motion(known(KnownFlow())))
    warped = motion.warped_back(square(8))
    assert torch.equal(warped[:, :-STEP], square(8 - STEP)[:, :-STEP])
    assert (warped[:, -STEP:] == NOWHERE).all()


def test_flow_that_does_not_come_back_is_not_trusted() -> None:
    motion = two_frames(Motion(known(KnownFlow(STEP, STEP))))
    assert (motion.warped_back(square(8)) == NOWHERE).all()


def test_one_frame() -> None:
    motion = Motion()
    motion.take(np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(InputError, match="1 frames have come; labels are warped between two"):
        motion.warped_back(square(8))


def test_a_buffer_that_is_used_again() -> None:
    """The frame before is a copy: without it, nothing would seem to move."""
    frames = textured(2)
    plain, reused, buffer = Motion(), Motion(), np.zeros_like(frames[0])
    for frame in frames:
        plain.take(frame)
        buffer[:] = frame
        reused.take(buffer)
    labels = torch.arange(96 * 128).view(96, 128)
    assert torch.equal(plain.warped_back(labels), reused.warped_back(labels))


def textured(count: int, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """A smooth texture that moves to the right by two pixels a frame."""
    noise = torch.rand(1, 3, 14, 22, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(noise, (size[0], size[1] + 40), mode="bicubic").clamp(0, 1)
    image = (255 * whole[0].permute(1, 2, 0)).to(torch.uint8).numpy()
    return [image[:, 40 - STEP * t :][:, : size[1]].copy() for t in range(count)]


def test_the_librarys_flow_finds_the_motion() -> None:
    motion = Motion()
    columns = torch.arange(128).expand(96, 128).contiguous()
    first, *later = textured(4)
    motion.take(first)
    for frame in later:
        motion.take(frame)
        warped = motion.warped_back(columns)
        trusted = warped != NOWHERE
        assert trusted.double().mean() > 0.9
        assert ((warped - columns)[trusted] == STEP).double().mean() > 0.95
