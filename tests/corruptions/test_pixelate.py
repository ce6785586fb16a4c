"""Against Pillow, exactly, one axis at a time: which axis it takes first is not fixed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.pixelate import pixelate

frames = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def by_pillow(frame: np.ndarray, factor: float) -> np.ndarray:
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.fromarray(frame)
    small = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
    box = image_module.Resampling.BOX
    narrow = image.resize((small[0], image.height), box)
    return np.asarray(narrow.resize(small, box).resize(image.size, box))


@settings(max_examples=60)
@given(frames, st.sampled_from([0.4, 0.3, 0.25, 0.5, 0.9, 1.0]) | st.floats(0.01, 1.0))
def test_equals_pillow(frame: np.ndarray, factor: float) -> None:
    assert np.array_equal(pixelate(frame, factor), by_pillow(frame, factor))


@pytest.mark.parametrize(("strength", "factor"), [("low", 0.4), ("med", 0.3), ("high", 0.25)])
def test_strengths(strength: str, factor: float) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (96, 171, 3), dtype=np.uint8)
    (result,) = Corruption("pixelate", strength).apply([frame])
    assert np.array_equal(np.asarray(result), by_pillow(frame, factor))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.floats(0.01, 1.0))
def test_a_constant_frame_stays(height: int, width: int, level: int, factor: float) -> None:
    frame = np.full((height, width, 3), level, np.uint8)
    assert np.array_equal(pixelate(frame, factor), frame)


def test_blocks_by_hand() -> None:
    """A quarter of 8 x 4 is 2 x 1: each half of the frame becomes the mean of its 16 pixels."""
    frame = np.zeros((4, 8, 3), np.uint8)
    frame[:, 4:] = 100
    frame[0, 0] = 160
    (result,) = Corruption("pixelate", "high").apply([frame])
    assert np.array_equal(result, np.repeat([[[10] * 3, [100] * 3]], 4, 1).repeat(4, 0))
