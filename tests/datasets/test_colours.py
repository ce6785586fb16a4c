import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.datasets.colours import distinct_colours


@given(st.integers(0, 255))
def test_they_differ_and_stay(count: int) -> None:
    colours = distinct_colours(count)
    assert colours.shape == (count, 3)
    assert len({(0, 0, 0), *map(tuple, colours.tolist())}) == count + 1
    np.testing.assert_array_equal(colours, distinct_colours(255)[:count])


def test_those_of_voc() -> None:
    # As its development kit prints them: aeroplane, bicycle, person, tvmonitor, void.
    expected = {
        1: (128, 0, 0),
        2: (0, 128, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    colours = distinct_colours(255)
    assert {number: tuple(colours[number - 1].tolist()) for number in expected} == expected
