from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ditta_adapt.reporting.heat_map import brightest, gradient, heat_map


def brightness(file: bytes) -> np.ndarray:
    """Of a picture, `(H, W)`."""
    return np.asarray(Image.open(BytesIO(file)).convert("RGB")).astype(int).sum(axis=2)


def test_more_flicker_is_brighter_and_beyond_the_top_is_the_top() -> None:
    seen = brightness(heat_map(np.array([[0, 0.1, 0.2, 0.3]], np.float32), top=0.2))
    assert seen[0, 0] < seen[0, 1] < seen[0, 2] == seen[0, 3]


def test_one_scale_shows_one_value_in_one_colour() -> None:
    little, much = np.full((4, 4), 0.1, np.float32), np.full((4, 4), 0.4, np.float32)
    top = brightest(little, much)
    assert top == pytest.approx(0.4)
    mixed = heat_map(np.concatenate([little, much]), top)
    assert (brightness(mixed)[:4] == brightness(heat_map(little, top))).all()


def test_few_pixels_do_not_set_the_scale() -> None:
    flicker = np.full((100, 100), 0.1, np.float32)
    flicker[0, :20] = 1
    assert brightest(flicker) == pytest.approx(0.1)


def test_scale_of_no_flicker() -> None:
    still = np.zeros((4, 6), np.float32)
    assert brightest(still) == 0.01
    assert len(np.unique(brightness(heat_map(still, 0.01)))) == 1


@pytest.mark.parametrize(("shape", "shown"), [((720, 1280), (360, 640)), ((1, 1), (1, 1))])
def test_size_of_the_picture(shape: tuple[int, int], shown: tuple[int, int]) -> None:
    assert brightness(heat_map(np.zeros(shape, np.float32), 0.1)).shape == shown


def test_gradient_goes_from_dark_to_bright() -> None:
    assert gradient().startswith("linear-gradient(to right, #0000")
    assert gradient().endswith("a4)")
