"""Which videos are held out, and which come more often."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.domain.sampling import RareClasses, split_videos


@given(st.integers(2, 40), st.floats(0, 0.99), st.integers(0, 9))
def test_every_video_is_on_one_side_and_none_is_empty(count: int, share: float, seed: int) -> None:
    learned, held_out = split_videos(count, share, np.random.default_rng(seed))
    assert sorted(learned + held_out) == list(range(count))
    assert learned
    assert held_out
    assert abs(len(held_out) - min(max(share * count, 1), count - 1, 32)) <= 0.5


@pytest.mark.parametrize("count", [0, 1])
def test_two_videos_are_needed(count: int) -> None:
    with pytest.raises(InputError, match=f"there are {count} videos; expected two"):
        split_videos(count, 0.2, np.random.default_rng(0))


def labels(*classes: int) -> list[torch.Tensor]:
    return [torch.tensor([list(classes)])]


def test_all_are_drawn_once_before_any_class_is_known() -> None:
    classes = RareClasses(5, 3, 0.5)
    order = classes.draw(5, np.random.default_rng(0))
    assert sorted(order) == list(range(5))
    assert order != list(range(5))
    assert len(classes.draw(12, np.random.default_rng(0))) == 12


def test_the_chance_of_a_video_by_hand() -> None:
    """Class 0 has 9 of 12 pixels, class 1 has 3: weights go as (3/4)^-1/2 and (1/4)^-1/2."""
    classes = RareClasses(2, 2, 0.5)
    classes.saw(0, labels(0, 0, 0, 0, 0, 0, 0, 0))
    classes.saw(1, labels(0, 1, 1, 1, -1))
    classes.visit(0)
    classes.visit(1)
    assert classes.shares.tolist() == [0.75, 0.25]
    common, rare = 0.75**-0.5, 0.25**-0.5
    first, second = common, (common + 3 * rare) / 4
    drawn = classes.draw(20000, np.random.default_rng(0))
    assert np.mean(drawn) == pytest.approx(second / (first + second), abs=0.01)


def test_without_an_exponent_all_are_alike() -> None:
    classes = RareClasses(2, 2, 0.0)
    classes.saw(0, labels(0, 0, 0))
    classes.saw(1, labels(1))
    classes.visit(0)
    classes.visit(1)
    assert np.mean(classes.draw(20000, np.random.default_rng(0))) == pytest.approx(0.5, abs=0.01)


def test_a_video_that_teaches_nothing_has_the_mean_chance() -> None:
    classes = RareClasses(3, 2, 0.5)
    classes.saw(0, labels(0, 0, 0, 0))
    classes.saw(1, labels(1))
    for video in range(3):
        classes.visit(video)
    drawn = classes.draw(30000, np.random.default_rng(0))
    shares = np.bincount(drawn) / len(drawn)
    # Weights of 4/5 and 1/5: the rare one has twice the chance of the common one.
    assert shares == pytest.approx([2 / 9, 4 / 9, 3 / 9], abs=0.01)


def test_nothing_was_taught_at_all() -> None:
    classes = RareClasses(2, 2, 0.5)
    classes.visit(0)
    classes.visit(1)
    assert sorted(classes.draw(2, np.random.default_rng(0))) == [0, 1]
