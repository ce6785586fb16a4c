"""Everything but the mean shift itself is computed again, with SciPy and `colorsys`."""

import colorsys

import numpy as np
import pytest

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.cartoon import cartoon

cv2 = pytest.importorskip("cv2")
ndimage = pytest.importorskip("scipy.ndimage")

NUMBERS = {"low": (1, 1.0), "med": (3, 1.2), "high": (5, 1.5)}
RADII = {  # (space, colour) for small and large frames
    "low": ((10, 20), (15, 40)),
    "med": ((12, 24), (18, 48)),
    "high": ((15, 30), (22, 60)),
}
# The weights 0.114, 0.587 and 0.299 in OpenCV's fixed point; blue and red trade places in the grey
# of the original program.
GREY = np.array([3735, 19235, 9798])


def blocks(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Flat patches with a little noise: areas, edges, corners and specks."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 10 + 1, width // 14 + 1, 3))
    image = np.kron(coarse, np.ones((10, 14, 1)))[:height, :width]
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def segmented(frame: np.ndarray, strength: str) -> np.ndarray:
    side = NUMBERS[strength][0]
    image = np.stack(
        [ndimage.median_filter(frame[..., c], side, mode="nearest") for c in range(3)], axis=2
    )
    space, colour = RADII[strength][max(frame.shape[:2]) >= 400]
    return cv2.pyrMeanShiftFiltering(image, sp=space, sr=colour)


def edges(image: np.ndarray) -> np.ndarray:
    grey = (image.astype(int) @ GREY + 2**14) >> 15
    if max(grey.shape) >= 400:
        strength = ndimage.laplace(grey / 255, mode="mirror") ** 2
        top = np.quantile(strength, 0.99)
        levels = np.rint(255 * np.minimum(strength / top, 1))
        found = ndimage.median_filter(levels, 3, mode="nearest") > 100
    else:
        found = cv2.Canny(grey.astype(np.uint8), 250, 250) > 0
    dense = ndimage.convolve(found.astype(int), np.ones((3, 3), int), mode="mirror") >= 8
    found = found & ~dense
    lonely = ndimage.convolve(found.astype(int), np.ones((5, 5), int), mode="mirror") < 3
    return found & ~lonely


@pytest.mark.parametrize("size", [(60, 90), (24, 410), (400, 12)])
def test_areas_and_edges_without_a_change_of_saturation(size: tuple[int, int]) -> None:
    frame = blocks(*size)
    for strength, (median, segmentation) in NUMBERS.items():
        image = segmented(frame, strength)
        drawn = edges(image)
        assert 0.001 < drawn.mean() < 0.5
        expected = np.where(drawn[..., None], 0, image)
        assert np.array_equal(cartoon(frame, median, segmentation, 1.0), expected)


@pytest.mark.parametrize(("strength", "factor"), [("low", 1.0), ("med", 1.5), ("high", 2.0)])
def test_strengths_and_saturation(strength: str, factor: float) -> None:
    frame = blocks(30, 44, seed=1)
    plain = cartoon(frame, *NUMBERS[strength], 1.0)
    (result,) = Corruption("cartoon", strength).apply([frame])
    result = np.asarray(result)
    if factor == 1:
        assert np.array_equal(result, plain)
    for place in np.ndindex(frame.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(plain[place] / 255).tolist())
        wanted = colorsys.hsv_to_rgb(hue, min(saturation * factor, 1), value)
        # The 8-bit HSV has 180 hues and 256 saturations.
        assert np.abs(result[place] - np.array(wanted) * 255).max() < 5


def test_a_flat_frame_has_no_edges() -> None:
    for width in (20, 410):
        frame = np.full((16, width, 3), (30, 140, 90), np.uint8)
        assert np.array_equal(cartoon(frame, 3, 1.2, 1.0), frame)


def test_a_speck_in_a_flat_large_frame_is_no_edge() -> None:
    """Less than one per cent of the frame has any edge at all."""
    frame = np.full((40, 410, 3), 90, np.uint8)
    frame[20, 200:203] = 255
    assert cartoon(frame, 1, 1.0, 1.0).min() >= 90
