"""What SAM2's sessions keep: features once a frame, memory that stays flat, nothing shared."""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import PropagationError
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.adapters.sam2_transformers.batches import Batch
from tests.adapters.sam2_video_models import (
    KINDS,
    SIZE,
    Reference,
    counted_features,
    follow,
    prompts_of,
    small_model,
)
from tests.toys import toy_video

pytestmark = pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")


def held_bytes(thing: object, seen: set[int]) -> int:
    """Bytes of all tensors that an object keeps alive, but for those of models."""
    if id(thing) in seen or isinstance(thing, nn.Module | type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        storage = thing.untyped_storage()
        known = storage.data_ptr() in seen
        seen.add(storage.data_ptr())
        return 0 if known else storage.nbytes()
    if isinstance(thing, dict):
        return sum(held_bytes(value, seen) for value in thing.values())
    if isinstance(thing, list | tuple | set):
        return sum(held_bytes(value, seen) for value in thing)
    return held_bytes(vars(thing), seen) if hasattr(thing, "__dict__") else 0


@pytest.mark.parametrize(("kind", "reverse"), [*zip(KINDS, (False, True), strict=True)])
def test_memory_is_flat_and_nothing_needed_is_forgotten(kind: str, reverse: bool) -> None:
    model = small_model(kind)
    # What the model looks back on, and as much again.
    reach, length = model.config.max_object_pointers_in_encoder, 24
    assert 2 * reach < length
    generator = np.random.default_rng(0)
    frames = list(generator.integers(0, 256, (length, *SIZE, 3), dtype=np.uint8))
    prompts = prompts_of((3, 4), (40, 30))
    order = range(length - 1, -1, -1) if reverse else range(length)
    reference = Reference(model, frames)
    reference.prompt(order[0], prompts)
    expected = reference.follow(order[0], reverse=reverse)
    held = []
    with Sam2TransformersPropagator(model).open(frames) as session:
        session.prompt(order[0], prompts)
        for t, to in pairwise(order):
            found = session.propagate(t, to)
            assert torch.equal(found.masks, expected[to])
            held.append(held_bytes(session, set()))
        runs = [run.run if isinstance(run, Batch) else run for run in session._runs]
        entries = [len(group) for run in runs for group in run.frames_tracked_per_obj.values()]
    assert held[reach // 2] < held[reach] == max(held)
    assert max(entries) <= reach
    # Which forgets nothing.
    assert held[-1] < held_bytes(reference.session, set()) / 2


def test_going_back_after_much_was_forgotten() -> None:
    frames = toy_video(20, SIZE)
    order = [*range(20), *range(18, 4, -1), *range(6, 19)]
    with Sam2TransformersPropagator(small_model()).open(frames) as session:
        session.prompt(0, prompts_of((3, 4)))
        for t, to in pairwise(order):
            assert session.propagate(t, to).object_ids.tolist() == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_image_features_are_computed_once_a_frame(kind: str) -> None:
    model, frames = small_model(kind), toy_video(6, SIZE)
    teacher = Sam2TransformersPropagator(model)
    with (
        counted_features(model) as passes,
        teacher.open(frames) as forward,
        teacher.open(frames) as backward,
    ):
        follow(forward, range(4), prompts_of((3, 4)))
        forward.prompt(3, prompts_of((20, 20), (30, 30), first_id=2))
        forward.propagate(3, 4)
        forward.propagate(4, 5)
        assert passes == [1] * 6
        follow(backward, range(5, -1, -1), prompts_of((3, 4), (9, 9)))
        assert passes == [1] * 6
        with teacher.open(list(frames)) as other:
            other.prompt(0, prompts_of((3, 4)))
        assert passes == [1] * 7


def test_a_single_session_computes_features_once_and_keeps_one_frames() -> None:
    model, frames = small_model(), toy_video(6, SIZE)
    teacher = Sam2TransformersPropagator(model)
    with counted_features(model) as passes, teacher.open(frames) as session:
        # A second one that is closed again is no reason to keep more.
        with teacher.open(frames):
            pass
        follow(session, range(6), prompts_of((3, 4)))
        assert passes == [1] * 6
        features = session._video
        assert features is not None
        assert list(features._kept) == [5]


@pytest.mark.parametrize("kind", KINDS)
def test_sessions_share_no_state_and_repeat_bit_for_bit(kind: str) -> None:
    model, frames = small_model(kind), toy_video(5, SIZE)
    teacher = Sam2TransformersPropagator(model)
    here, there = prompts_of((3, 4)), prompts_of((40, 30), (9, 20))
    with teacher.open(frames) as session:
        alone = follow(session, range(5), here)
    with teacher.open(frames) as first, teacher.open(frames) as second:
        second.prompt(4, there)
        first.prompt(0, here)
        for t in range(4):
            second.propagate(4 - t, 3 - t)
            again = first.propagate(t, t + 1)
            assert again.object_ids.tolist() == [1]
            assert torch.equal(again.masks, alone[t + 1].masks)


def test_closing_frees_memory_and_ends_the_session() -> None:
    class Frames(list[np.ndarray]):
        pass

    frames = Frames(toy_video(3, SIZE))
    gone = weakref.ref(frames)
    teacher = Sam2TransformersPropagator(small_model())
    with teacher.open(frames) as session:
        follow(session, range(3), prompts_of((3, 4)))
    assert held_bytes(session, set()) == 0
    for use in (lambda: session.propagate(1, 2), lambda: session.prompt(0, [])):
        with pytest.raises(PropagationError, match="closed; open a new one"):
            use()
    del frames
    gc.collect()
    assert gone() is None
