"""Styles: by a function of one's own, with the colours of frame or picture, and by statistics."""

import numpy as np
import pytest
import torch

from ditta_adapt.corruptions import Style, plain_style
from ditta_adapt.corruptions.style import with_colours_of
from ditta_adapt.errors import InputError, ShapeError

RANDOM = np.random.default_rng(0)
FRAME = RANDOM.integers(60, 200, (12, 16, 3)).astype(np.uint8)
PICTURE = RANDOM.integers(0, 256, (5, 7, 3)).astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    return image.astype(float) @ [0.299, 0.587, 0.114]


def test_colours_stay_and_brightness_comes_from_the_style() -> None:
    grey = np.full_like(FRAME, 120)
    (found,) = Style(PICTURE, lambda frame, picture: grey).apply([FRAME])
    # Grey has no colour: what is left of it is its brightness, wherever colours fit in.
    inside = ((found > 0) & (found < 255)).all(axis=2)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(luma(found)[inside], 120, atol=1)
    difference = found.astype(int) - FRAME
    # The same is added to all three channels of a pixel.
    spread = difference.max(axis=2) - difference.min(axis=2)
    assert spread[inside].max() <= 2


def test_its_own_colours_and_brightness_are_the_frame_itself() -> None:
    np.testing.assert_array_equal(with_colours_of(FRAME, FRAME), FRAME)


def test_strong_styles_have_their_own_colours() -> None:
    red = np.zeros_like(FRAME)
    red[..., 0] = 255
    before = FRAME.copy()

    def scribble(frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
        frame[:] = 0
        return red

    (found,) = Style(PICTURE, scribble, keep_colours=False).apply([FRAME])
    np.testing.assert_array_equal(found, red)
    np.testing.assert_array_equal(FRAME, before)


def test_tensors_come_back_as_tensors_and_the_picture_stays() -> None:
    before = PICTURE.copy()

    def scribble(frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
        picture[:] = 0
        return frame

    style = Style(torch.from_numpy(PICTURE), scribble)
    (found,) = style.apply([torch.from_numpy(FRAME)])
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), FRAME)
    np.testing.assert_array_equal(PICTURE, before)
    assert style == style
    assert len({style}) == 1


def test_statistics_by_hand() -> None:
    # A picture of one colour has no spread and no texture: all pixels get that colour.
    np.testing.assert_array_equal(plain_style(FRAME, np.full((3, 3, 3), 77, np.uint8)), 77)
    # Two halves of a picture that is too coarse to have texture away from its edge.
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, 20:] = 200
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:20] = 10
    found = plain_style(frame, halves)
    # Mean 100, spread 100: dark rows become 0, the others 200.
    assert (found[25:, 5:15] == 0).all()
    assert (found[5:15, 5:15] == 200).all()
    # Where the picture has its edge, the frame has it, too.
    assert found[5, 20, 0] > found[5, 10, 0]


@pytest.mark.usefixtures("unchecked")
def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="stylise is a str"):
        Style(PICTURE, "magenta")  # type: ignore[arg-type]
    style = Style(PICTURE, lambda frame, picture: frame[:-1])
    with pytest.raises(ShapeError, match="stylise returned uint8"):
        list(style.apply([FRAME]))


@pytest.mark.usefixtures("unchecked")
def test_a_picture_of_another_form_is_refused() -> None:
    with pytest.raises(ShapeError, match="the style picture"):
        Style(PICTURE[..., 0], plain_style)
