"""The three verbs of all methods that run a teacher along with the stream."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import (
    InputError,
    LiveFrames,
    Progress,
    PropagationError,
    SegmenterError,
    ShapeError,
)
from ditta_adapt.baselines import Method
from ditta_adapt.baselines.mask_classification import MaskClassification
from ditta_adapt.baselines.mask_classifier import MaskClassifier
from ditta_adapt.baselines.mask_refiner import MaskRefiner
from ditta_adapt.baselines.streamed import StreamedMethod
from ditta_adapt.baselines.zero_shot import ZeroShotRefinement
from tests.baselines.painted import PaintedSegmenter, painted
from tests.baselines.teachers import FeatureSession, Teacher
from tests.toys import FEATURES, NUM_CLASSES, toy_segmenter, toy_video


def classification(model: Any, teacher: Any, source: str = "segmenter") -> MaskClassification:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        width = model.feature_dim if source == "segmenter" else 2
        classifier = MaskClassifier(width, NUM_CLASSES, source)  # type: ignore[arg-type]
    return MaskClassification(model, teacher, classifier, points_per_side=4, window=5)


METHODS: dict[str, Callable[[Any, Any], StreamedMethod]] = {
    "zero-shot": ZeroShotRefinement,
    "refiner": lambda model, teacher: MaskRefiner(model, teacher, points_per_side=4, window=5),
    "refiner, pooled": lambda model, teacher: MaskRefiner(
        model, teacher, points_per_side=4, window=5, vote="window"
    ),
    "classification": classification,
}
each = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)


def run(method: StreamedMethod, video: Any) -> list[Tensor]:
    return [method(frame) for frame in video]


def same(found: list[Tensor], expected: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@each
def test_it_is_a_method(make: Callable[..., StreamedMethod]) -> None:
    method, video = make(toy_segmenter(), Teacher()), toy_video(12)
    assert isinstance(method, Method)
    labels = run(method, video)
    assert all(frame.dtype == torch.int64 and frame.shape == (37, 50) for frame in labels)
    # The teacher does make a difference.
    alone = [make(toy_segmenter(), Teacher())(frame) for frame in video]
    assert not same(labels, alone)


@each
@pytest.mark.parametrize("warmup", [1, 4, 5, 12])
def test_adapting_is_running_over_the_first_frames(
    make: Callable[..., StreamedMethod], warmup: int
) -> None:
    video = toy_video(12)
    expected = run(make(toy_segmenter(), Teacher()), video)
    method = make(toy_segmenter(), Teacher())
    steps: list[Progress] = []
    assert method.adapt(iter(video[:warmup]), progress=steps.append) is None
    assert steps == [Progress("track", t + 1, warmup) for t in range(warmup)]
    assert same(run(method, video[warmup:]), expected[warmup:])


@each
def test_videos_in_any_order(make: Callable[..., StreamedMethod]) -> None:
    first, second = toy_video(7), toy_video(7, (20, 30), seed=1)
    expected = [run(make(toy_segmenter(), Teacher()), video) for video in (first, second)]
    method = make(toy_segmenter(), Teacher())
    for order in ([0, 1], [1, 0], [0, 0]):
        for index in order:
            video = (first, second)[index]
            method.reset()
            assert same(run(method, video), expected[index])
            # Whatever came before, adapt begins a new video.
            method.adapt(video[:3])
            assert same(run(method, video[3:]), expected[index][3:])
    method.clear_memory()
    assert same(run(method, first), expected[0])


@each
def test_nothing_of_the_callers_is_touched(make: Callable[..., StreamedMethod]) -> None:
    segmenter, video = toy_segmenter(), toy_video(7)
    segmenter.model.train()
    before = {name: value.clone() for name, value in segmenter.model.state_dict().items()}
    kept = [frame.copy() for frame in video]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    method = make(segmenter, Teacher())
    method.adapt(video[:3])
    run(method, video[3:])
    assert segmenter.model.training
    assert all(m.training for m in segmenter.model.modules())
    assert all(p.requires_grad and p.grad is None for p in segmenter.model.parameters())
    assert all(torch.equal(before[k], v) for k, v in segmenter.model.state_dict().items())
    assert all(map(np.array_equal, video, kept))
    assert torch.equal(torch.get_rng_state(), state)
    assert method.segmenter is segmenter


@each
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_callers_gradient_mode_is_no_matter(
    make: Callable[..., StreamedMethod], mode: Callable[[], Any]
) -> None:
    video = toy_video(7)
    expected = run(make(toy_segmenter(), Teacher()), video)
    method = make(toy_segmenter(), Teacher())
    with mode():
        method.adapt(video[:3])
        found = run(method, video[3:4])
    found += run(method, video[4:])
    assert same(found, expected[3:])
    assert not any(labels.requires_grad for labels in found)


@each
def test_a_buffer_that_is_used_again_and_again(make: Callable[..., StreamedMethod]) -> None:
    class Looks(FeatureSession):
        """Sums up every frame when it is left."""

        def propagate(self, t: int, to: int) -> Any:
            seen.append(int(torch.as_tensor(self.frames[t]).sum()))
            return super().propagate(t, to)

    video, seen = toy_video(5), []
    method = make(toy_segmenter(), Teacher(session=Looks))
    buffer = torch.empty(37, 50, 3, dtype=torch.uint8)
    for frame in video:
        buffer.copy_(torch.from_numpy(frame))
        method(buffer)
    assert seen == [int(frame.sum(dtype=np.int64)) for frame in video[:4]]


@each
def test_another_frame_size(make: Callable[..., StreamedMethod]) -> None:
    video, teacher = toy_video(4), Teacher()
    expected = run(make(toy_segmenter(), Teacher()), video)
    method = make(toy_segmenter(), teacher)
    method.adapt(video[:2])
    for wrong in (toy_video(1, (37, 51))[0], video[2].astype(np.float32), video[2][..., 0]):
        with pytest.raises(ShapeError):
            method(wrong)
    assert same(run(method, video[2:]), expected[2:])
    method.reset()
    assert method(toy_video(1, (20, 30))[0]).shape == (20, 30)


@each
def test_wrong_warm_ups_change_nothing(make: Callable[..., StreamedMethod]) -> None:
    video, teacher = toy_video(4), Teacher()
    expected = run(make(toy_segmenter(), Teacher()), video)
    method = make(toy_segmenter(), teacher)
    method.adapt(video[:2])
    for wrong, error in (
        ([], InputError),
        ([video[0], video[0][1:]], ShapeError),
        ([video[0][..., 0]], ShapeError),
    ):
        with pytest.raises(error):
            method.adapt(wrong)
    assert same(run(method, video[2:]), expected[2:])


@each
def test_a_model_that_says_nan(make: Callable[..., StreamedMethod]) -> None:
    segmenter, teacher = PaintedSegmenter(), Teacher()
    frames = [painted([[1, 2], [2, 2]]), painted([[1, 3], [2, 2]])]
    expected = run(make(segmenter, Teacher()), frames)
    method = make(segmenter, teacher)
    method(frames[0])
    inner = method._own.decode

    def broken(encoded: Tensor) -> Any:
        output = inner(encoded)
        output.logits[0, 0, 0, 0] = torch.nan
        return output

    method._own.decode = broken  # type: ignore[method-assign]
    with pytest.raises(SegmenterError, match="not finite"):
        method(frames[1])
    with pytest.raises(SegmenterError, match="not finite"):
        method.adapt(frames)
    method._own.decode = inner  # type: ignore[method-assign]
    # As if the frame had not come.
    assert torch.equal(method(frames[1]), expected[1])


@each
def test_a_teacher_that_fails_while_streaming(make: Callable[..., StreamedMethod]) -> None:
    video, teacher = toy_video(5), Teacher(fail_at=2)
    method = make(toy_segmenter(), teacher)
    run(method, video[:2])
    with pytest.raises(PropagationError, match=r"propagate\(1, 2\): RuntimeError: out of memory"):
        method(video[2])
    assert teacher.open_sessions == 0
    teacher.fail_at = None
    # As after reset: this is frame 0 of a video, and may be of another size.
    assert same(run(method, video), run(make(toy_segmenter(), Teacher()), video))


@each
def test_a_teacher_that_fails_in_adapt(make: Callable[..., StreamedMethod]) -> None:
    video, teacher = toy_video(4), Teacher()
    expected = run(make(toy_segmenter(), Teacher()), video)
    method = make(toy_segmenter(), teacher)
    method.adapt(video[:2])
    teacher.fail_at = 1
    with pytest.raises(PropagationError, match=r"propagate\(0, 1\)") as caught:
        method.adapt(video)
    # Closed, not just garbage: the traceback still holds everything.
    assert caught.tb is not None
    assert teacher.open_sessions == 1
    teacher.fail_at = None
    assert same(run(method, video[2:]), expected[2:])


class FailsToOpen(Teacher):
    def open(self, frames: Any) -> Any:
        raise OSError("no weights")


@each
def test_a_teacher_that_does_not_open(make: Callable[..., StreamedMethod]) -> None:
    method = make(toy_segmenter(), FailsToOpen())
    with pytest.raises(PropagationError, match="raised in open: OSError: no weights"):
        method(toy_video(1)[0])


@each
def test_masks_that_break_the_contract(make: Callable[..., StreamedMethod]) -> None:
    def halved(masks: Any) -> Any:
        return type(masks)(masks.object_ids, masks.masks[:, ::2])

    teacher = Teacher(halved)
    with pytest.raises(PropagationError, match="returned masks of shape") as caught:
        make(toy_segmenter(), teacher)(toy_video(1)[0])
    assert caught.tb is not None
    assert teacher.open_sessions == 0


@each
def test_sessions_are_closed(make: Callable[..., StreamedMethod]) -> None:
    video, teacher = toy_video(7), Teacher()
    method = make(toy_segmenter(), teacher)
    run(method, video)
    assert teacher.open_sessions == 1
    method.adapt(video)
    assert teacher.open_sessions == 1
    method.reset()
    assert teacher.open_sessions == 0
    method.reset()
    run(method, video[:2])
    gone = weakref.ref(method)
    del method
    gc.collect()
    assert gone() is None
    assert teacher.open_sessions == 0


@each
def test_memory_is_constant_over_a_long_stream(make: Callable[..., StreamedMethod]) -> None:
    kept: list[weakref.ref[LiveFrames]] = []

    class Watched(FeatureSession):
        def __init__(self, teacher: Teacher, frames: Any) -> None:
            super().__init__(teacher, frames)
            self.calls = []
            kept.append(weakref.ref(frames))

        def propagate(self, t: int, to: int) -> Any:
            assert len(self.frames) - self.frames.oldest <= 2
            self.calls.clear()
            return super().propagate(t, to)

    teacher = Teacher(session=Watched)
    method = make(toy_segmenter(), teacher)
    counts = []
    for t, frame in enumerate(toy_video(10) * 11):
        method(frame)
        teacher.prompts.clear()
        # At the end of a window of 5 frames, of the first and the last 100 frames.
        if t in (9, 109):
            gc.collect()
            things = gc.get_objects()
            counts.append(sum(issubclass(type(thing), Tensor | np.ndarray) for thing in things))
            del things
    assert counts[0] == counts[1]
    # Of all windows, the frames of the last one.
    assert len({id(frames()) for frames in kept if frames() is not None}) == 1


def test_features_of_the_teacher() -> None:
    video, teacher = toy_video(7), Teacher(session=FeatureSession)
    found = run(classification(toy_segmenter(), teacher, "propagator"), video)
    again = run(classification(toy_segmenter(), teacher, "propagator"), video)
    assert same(found, again)
    assert FEATURES != 2


def test_a_propagator_by_name() -> None:
    method = ZeroShotRefinement(toy_segmenter(), "flow")
    labels = run(method, toy_video(3))
    assert labels[2].shape == (37, 50)
    with pytest.raises(InputError, match="no propagator is called 'flaw'"):
        ZeroShotRefinement(toy_segmenter(), "flaw")
