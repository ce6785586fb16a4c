"""Stage B with masks: which calls the teacher gets, and how both directions are put together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, Frame, Masks, MaskVote, Prompt, PropagationError, wrap
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.progress import silent
from ditta_adapt.targets.tracking import track_objects
from tests.toys import StillPropagator, StillSession, toy_segmenter, toy_video

OPTIONS = MaskVote(prompt_dilation=0)
SIZE = (4, 6)
FRAMES = [np.zeros((*SIZE, 3), np.uint8)] * 4


class Shrinking(StillSession):
    """Masks lose their left column with every step, so that direction and distance show."""

    def propagate(self, t: int, to: int) -> Masks:
        super().propagate(t, to)
        for mask in self._masks:
            columns = mask.any(dim=0).nonzero()
            if len(columns):
                mask[:, columns[0]] = False
        return self._current()


def frame_of(rows: list[str], certain: str) -> FrozenPrediction:
    """Digits are classes; the classes in `certain` are reliable."""
    labels = torch.tensor([[int(c) for c in row] for row in rows], dtype=torch.uint8)
    reliable = torch.tensor([[float(c in certain) for c in row] for row in rows])
    return FrozenPrediction(labels, reliable)


def test_prompts_replay_and_merge() -> None:
    # Class 1 is sure on frame 0, class 2 on frame 2; class 0 never is.
    sizes = {0: "1", 1: "", 2: "2", 3: ""}
    rows = ["111222"] * 4
    predictions = [frame_of(rows, sizes[t]) for t in range(4)]
    frames = FRAMES
    forward, backward = Shrinking(frames), Shrinking(frames)
    tracks = track_objects(forward, backward, SIZE, predictions, OPTIONS, silent)

    assert forward.calls == [
        ("prompt", 0, [1]),
        ("propagate", 0, 1),
        ("propagate", 1, 2),
        ("prompt", 2, [2]),
        ("propagate", 2, 3),
    ]
    assert backward.calls == [("prompt", 2, [2]), ("propagate", 2, 1), ("propagate", 1, 0)]
    assert tracks.num_objects == 2
    # Object 1: forward from frame 0, columns 0-2. Object 2: backward to frame 0, forward to 3.
    columns = {1: [[0, 1, 2], [1, 2], [2], []], 2: [[5], [4, 5], [3, 4, 5], [4, 5]]}
    for t, packed in enumerate(tracks.frames):
        masks = packed.unpack()
        assert masks.object_ids.tolist() == [1, 2]
        for object_id, mask in zip((1, 2), masks.masks, strict=True):
            assert mask.any(dim=0).nonzero().flatten().tolist() == columns[object_id][t]
            assert bool(mask.all(dim=0)[columns[object_id][t]].all())


def test_object_limit_is_for_the_whole_video() -> None:
    predictions = [frame_of(["012345"] * 4, "012345")] * 4
    frames = FRAMES
    options = MaskVote(max_objects=4, prompt_dilation=0)
    tracks = track_objects(Shrinking(frames), Shrinking(frames), SIZE, predictions, options, silent)
    assert tracks.num_objects == 4


def test_no_prompt_means_no_call() -> None:
    predictions = [frame_of(["111222"] * 4, "")] * 4
    frames = FRAMES
    forward, backward = StillSession(frames), StillSession(frames)
    tracks = track_objects(forward, backward, SIZE, predictions, OPTIONS, silent)
    assert tracks.num_objects == 0
    assert forward.calls == backward.calls == []


def broken(**replaced: object) -> StillPropagator:
    class Broken(StillPropagator):
        @contextmanager
        def open(self, frames: Sequence[Frame]) -> Iterator[StillSession]:
            session = StillSession(frames)
            for name, value in replaced.items():
                setattr(session, name, value)
            yield session

    return Broken()


def masks(ids: list[int], size: tuple[int, int], dtype: torch.dtype = torch.bool) -> Masks:
    return Masks(torch.tensor(ids, dtype=torch.int64), torch.ones(len(ids), *size, dtype=dtype))


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda t, prompts: masks([], (37, 50)), r"returned objects \[\]"),
        (lambda t, prompts: masks([9], (37, 50)), r"returned objects \[9\]"),
        (lambda t, prompts: masks([p.object_id for p in prompts], (18, 25)), "frame's own size"),
        (
            lambda t, prompts: masks([p.object_id for p in prompts], (37, 50), torch.float32),
            "float32",
        ),
    ],
    ids=["lost", "foreign", "small", "float"],
)
def test_teacher_that_breaks_its_contract(answer: object, match: str, unchecked: None) -> None:
    config = AdaptConfig(targets=MaskVote(prompt_threshold=0.3))
    model = wrap(toy_segmenter(), propagator=broken(prompt=answer), config=config)
    with pytest.raises(PropagationError, match=match):
        model.adapt(toy_video(3))


def test_teacher_that_cannot_open() -> None:
    class Closed(StillPropagator):
        def open(self, frames: Sequence[Frame]) -> Iterator[StillSession]:  # type: ignore[override]
            raise FileNotFoundError("no checkpoint")

    with pytest.raises(PropagationError, match=r"open.*no checkpoint"):
        wrap(toy_segmenter(), propagator=Closed()).adapt(toy_video(2))


def test_prompt_carries_point_and_region() -> None:
    seen: list[tuple[int, Prompt, Tensor]] = []

    class Watching(StillPropagator):
        @contextmanager
        def open(self, frames: Sequence[Frame]) -> Iterator[StillSession]:
            session = StillSession(frames)
            prompt = session.prompt

            def watch(t: int, prompts: Sequence[Prompt]) -> Masks:
                seen.extend((t, p, p.region) for p in prompts)
                return prompt(t, prompts)

            session.prompt = watch  # type: ignore[method-assign]
            yield session

    config = AdaptConfig(targets=MaskVote(prompt_threshold=0.3))
    report = wrap(toy_segmenter(), propagator=Watching(), config=config).adapt(toy_video(3))
    assert sum(report.classes.values()) == len({p.object_id for _, p, _ in seen})
    for _, prompt, region in seen:
        x, y = prompt.point
        assert region.shape == (37, 50)
        assert region[y, x]
