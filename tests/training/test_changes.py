"""What a decoder writes into its buffers while it is trained is undone."""

import torch
from torch import Tensor, nn

from ditta_adapt.training.changes import buffers_kept
from ditta_adapt.training.student import Student
from tests.toys import ToyNet, ToySegmenter


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("running_mean", torch.zeros(1))


class Dotted(ToySegmenter):
    """Adaptable modules by their full names, which have dots."""

    def __init__(self) -> None:
        super().__init__(ToyNet())
        self.head = nn.Sequential(Counting())

    def adaptable_modules(self) -> dict[str, nn.Module]:
        return {"head.0": self.head[0], "head": self.head}


def test_buffers_are_put_back_whatever_modules_are_called() -> None:
    student = Student(Dotted())
    counting = student.segmenter.adaptable_modules()["head.0"]
    with buffers_kept(student):
        counting.calls += 1
        counting.running_mean += 1
    assert float(counting.calls) == 0
    assert float(counting.running_mean) == 1


def test_a_replaced_buffer_is_put_back() -> None:
    student = Student(Dotted())
    counting = student.segmenter.adaptable_modules()["head.0"]
    with buffers_kept(student):
        counting.calls = torch.zeros(3)
    kept: Tensor = counting.calls
    assert kept.shape == (1,)
