"""Masks over the labels of another method: the same as over the image model's own."""

from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import InputError, PropagationError
from ditta_adapt.baselines import ClipNetwork, ImageModel, Method, Positioned, RefinedMethod
from ditta_adapt.baselines.mask_refiner import MaskRefiner
from tests.baselines.painted import PaintedSegmenter, maps, painted
from tests.baselines.teachers import Teacher

HALVES = [[1, 1, 2, 2]] * 2
FRAMES = [painted(frame) for frame in (HALVES, [[1, 3, 2, 2], [1, 1, 3, 2]], [[3, 3, 2, 2]] * 2)]
CLASSES = PaintedSegmenter().num_classes


def refined(teacher: Teacher, method: Any = None, **options: Any) -> RefinedMethod:
    method = method or ImageModel(PaintedSegmenter())
    return RefinedMethod(method, teacher, CLASSES, points_per_side=4, **options)


@pytest.mark.parametrize("vote", ["frame", "window"])
@pytest.mark.parametrize("warmup", [0, 1, 2])
def test_is_the_refiner_on_the_image_model(warmup: int, vote: Any) -> None:
    found = []
    for method in (
        MaskRefiner(PaintedSegmenter(), Teacher(), points_per_side=4, window=2, vote=vote),
        refined(Teacher(), window=2, vote=vote),
    ):
        if warmup:
            method.adapt(FRAMES[:warmup])
        first = [method(frame) for frame in FRAMES[warmup:]]
        method.clear_memory()
        second = [method(frame) for frame in FRAMES]
        method.reset()
        found.append((maps(first), maps(second), maps([method(FRAMES[0])])))
    assert found[0] == found[1]


class Numbered:
    """A method that says which frame it thinks is next."""

    def __init__(self) -> None:
        self.next = 0
        self.calls: list[str] = []

    def adapt(self, frames: Any, **options: Any) -> None:
        self.next = len(list(frames))
        self.calls.append("adapt")

    def go_to(self, t: int) -> None:
        self.next = t

    def clear_memory(self) -> None:
        self.next = 0
        self.calls.append("clear_memory")

    def reset(self) -> None:
        self.next = 0
        self.calls.append("reset")

    def __call__(self, frame: Any) -> torch.Tensor:
        self.next += 1
        return torch.full(tuple(frame.shape[:2]), self.next - 1)


def test_the_method_knows_where_it_is() -> None:
    inner = Numbered()
    method = refined(Teacher(), inner)
    assert isinstance(method, Method)
    assert isinstance(method, Positioned)
    frames = [np.zeros((4, 4, 3), np.uint8)] * 2
    method.adapt(frames)
    assert inner.calls == ["adapt", "clear_memory"]
    assert inner.next == 2
    assert int(method(frames[0]).max()) == 2
    method.go_to(1)
    assert int(method(frames[0]).max()) == 1
    method.go_to(CLASSES)
    with pytest.raises(InputError, match=rf"go from {CLASSES} to {CLASSES}; expected classes in"):
        method(frames[0])
    # Of no use to a method that does not ask for it.
    refined(Teacher()).go_to(3)


def test_after_a_failure_masks_begin_anew() -> None:
    class Failing(Teacher):
        broken = False

        def open(self, frames: Any) -> Any:
            if self.broken:
                raise RuntimeError("no memory")
            return super().open(frames)

    teacher = Failing()
    method = refined(teacher, window=1)
    method(FRAMES[0])
    teacher.broken = True
    with pytest.raises(PropagationError):
        method(FRAMES[1])
    assert teacher.open_sessions == 0
    teacher.broken = False
    assert maps([method(FRAMES[0])]) == [HALVES]


def test_after_a_failure_of_the_method_masks_begin_anew() -> None:
    inner = Numbered()
    teacher = Teacher()
    method = refined(teacher, inner)
    method(np.zeros((4, 4, 3), np.uint8))
    assert teacher.open_sessions == 1
    method.go_to(CLASSES)
    with pytest.raises(InputError):
        method(np.zeros((4, 4, 3), np.uint8))
    assert teacher.open_sessions == 0


def test_what_the_method_says_is_passed_on_and_a_failure_leaves_nothing_adapted() -> None:
    class Telling(Numbered):
        def adapt(self, frames: Any, **options: Any) -> str:
            super().adapt(frames)
            return "learned"

    inner = Telling()
    frames = [np.zeros((4, 4, 3), np.uint8)] * 2
    assert refined(Teacher(), inner).adapt(frames) == "learned"
    inner.calls.clear()
    failing = RefinedMethod(inner, Teacher(), 1, points_per_side=4)
    with pytest.raises(InputError):
        failing.adapt(frames)
    assert inner.calls == ["adapt", "clear_memory", "reset"]


def test_a_clip_network_can_be_refined() -> None:
    network = ClipNetwork(lambda clip: torch.eye(CLASSES)[:1].view(1, CLASSES, 1, 1))
    assert int(refined(Teacher(), network)(FRAMES[0]).max()) == 0


@pytest.mark.parametrize("options", [{"window": 0}, {"points_per_side": 0}, {"vote": "never"}])
def test_wrong_arguments(options: dict[str, Any], unchecked: None) -> None:
    arguments = {"points_per_side": 4} | options
    with pytest.raises(InputError):
        RefinedMethod(ImageModel(PaintedSegmenter()), Teacher(), CLASSES, **arguments)
