"""Objects are followed from where they begin, and have the pixels that were given to them."""

import numpy as np
import pytest
import torch

from ditta_adapt import InputError, PropagationError
from ditta_adapt.teachers.following import follow_objects
from tests.teachers.brightness_propagator import BrightnessPropagator
from tests.toys import StillPropagator


def mask(top: int, left: int) -> torch.Tensor:
    found = torch.zeros(8, 10, dtype=torch.bool)
    found[top : top + 3, left : left + 3] = True
    return found


FRAMES = [np.zeros((8, 10, 3), np.uint8) for _ in range(5)]


def test_objects_begin_where_they_are_given() -> None:
    begins = {1: {4: mask(0, 0)}, 3: {2: mask(1, 1), 9: mask(5, 5)}}
    maps = list(follow_objects(StillPropagator(), FRAMES, begins))
    assert [sorted(labels.unique().tolist()) for labels in maps] == [
        [0],
        [0, 4],
        [0, 4],
        [0, 2, 4, 9],
        [0, 2, 4, 9],
    ]
    # Two of them overlap: the later one has the pixels.
    assert all(torch.equal(labels == 2, mask(1, 1)) for labels in maps[3:])
    assert torch.equal(maps[4] == 4, mask(0, 0) & ~mask(1, 1))
    assert all(labels.dtype == torch.int64 and labels.shape == (8, 10) for labels in maps)


def test_arrays_are_masks_too() -> None:
    begins = {0: {3: mask(0, 0).numpy()}}
    (first, *_) = follow_objects(StillPropagator(), FRAMES, begins)
    assert torch.equal(first == 3, mask(0, 0))


def test_without_objects_there_is_nothing() -> None:
    assert not any(labels.any() for labels in follow_objects(StillPropagator(), FRAMES, {}))


@pytest.mark.parametrize(
    ("begins", "message"),
    [
        ({5: {1: mask(0, 0)}}, "expected ids of at least 1, each once, and frames"),
        ({0: {0: mask(0, 0)}}, "expected ids of at least 1"),
        ({0: {1: mask(0, 0)}, 2: {1: mask(1, 1)}}, "each once"),
        ({0: {1: torch.zeros(8, 10, dtype=torch.bool)}}, "mask of object 1 in frame 0 is empty"),
        ({0: {1: mask(0, 0).byte()}}, r"torch.uint8 \(8, 10\); expected bool"),
        ({0: {1: mask(0, 0)[:5]}}, r"expected bool of the frame's size, \(8, 10\)"),
    ],
)
def test_wrong_objects(begins: dict[int, dict[int, torch.Tensor]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        # At once, not when the first frame is asked for.
        follow_objects(BrightnessPropagator(), FRAMES, begins)


def test_no_frames() -> None:
    with pytest.raises(InputError, match="no frames"):
        follow_objects(StillPropagator(), [], {})


def test_what_a_propagator_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("lost it")

    monkeypatch.setattr("tests.toys.StillSession.propagate", broken)
    with pytest.raises(PropagationError, match=r"frame 1: RuntimeError: lost it"):
        list(follow_objects(StillPropagator(), FRAMES, {0: {1: mask(0, 0)}}))
