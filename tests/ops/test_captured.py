"""When a function is replayed, and when it is called as it is; the graph itself needs a GPU."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.ops.captured import Captured


class Recorded:
    """In place of a CUDA graph: the same answers, counted; or wrong ones."""

    made: int = 0
    replayed: int = 0
    error: float = 0.0
    raises: Exception | None = None

    def __init__(self, function: Any, leaves: list[Any], structure: Any) -> None:
        type(self).made += 1
        if self.raises is not None:
            raise self.raises
        self._function, self._structure = function, structure

    def replay(self, leaves: list[Any]) -> Any:
        type(self).replayed += 1
        answer = self._function(pytree.tree_unflatten(leaves, self._structure))
        return pytree.tree_map_only(Tensor, lambda tensor: tensor + self.error, answer)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    fresh = type("Fresh", (Recorded,), {})
    monkeypatch.setattr("ditta_adapt.ops.captured._Graph", fresh)
    monkeypatch.setattr("ditta_adapt.ops.captured._on_one_gpu", lambda leaves: True)
    return fresh


def doubled(pair: Any) -> Any:
    return {"twice": 2 * pair[0], "as it was": pair[1]}


@torch.no_grad()
def test_on_a_cpu_it_is_the_function() -> None:
    captured = Captured(doubled)
    for value in (1.0, 2.0):
        answer = captured((torch.tensor([value]), 3))
        assert answer["twice"].item() == 2 * value
        assert answer["as it was"] == 3
    assert captured.problem == ""
    assert not captured._graphs


@torch.no_grad()
def test_the_first_call_is_the_function_and_the_next_are_replays(graph: type[Recorded]) -> None:
    captured = Captured(doubled)
    answers = [captured((torch.tensor([value]), 3))["twice"].item() for value in (1.0, 2.0, 5.0)]
    assert answers == [2, 4, 10]
    assert (graph.made, graph.replayed) == (1, 3)


@torch.no_grad()
def test_every_kind_of_input_has_its_own_and_four_are_kept(graph: type[Recorded]) -> None:
    captured = Captured(doubled)
    for size in range(1, 7):
        captured((torch.ones(size), 3))
    assert graph.made == 6
    assert len(captured._graphs) == 4
    captured((torch.ones(6), 3))
    assert graph.made == 6
    captured((torch.ones(6), 4))
    captured((torch.ones(6).double(), 3))
    captured((torch.ones(1), 3))
    assert graph.made == 9


@torch.no_grad()
def test_a_replay_that_differs_is_never_used(graph: type[Recorded]) -> None:
    graph.error = 0.1
    captured = Captured(doubled)
    for value in (1.0, 2.0):
        assert captured((torch.tensor([value]), 3))["twice"].item() == 2 * value
    assert "differs by 5.0e-02 of the largest value" in captured.problem
    assert graph.made == 1


@torch.no_grad()
def test_not_a_number_differs(graph: type[Recorded]) -> None:
    graph.error = float("nan")
    captured = Captured(doubled)
    captured((torch.tensor([1.0]), 3))
    assert "differs" in captured.problem


@pytest.mark.parametrize("error", [RuntimeError("no\nmore"), TypeError("no"), ValueError("no")])
@torch.no_grad()
def test_what_cannot_be_captured_is_called_as_it_is(
    error: Exception, graph: type[Recorded]
) -> None:
    graph.raises = error
    captured = Captured(doubled)
    for value in (1.0, 2.0):
        assert captured((torch.tensor([value]), 3))["twice"].item() == 2 * value
    assert captured.problem == f"{type(error).__name__}: no"
    assert graph.made == 1


@torch.no_grad()
def test_what_is_no_tensor_and_no_plain_value_is_not_looked_into(graph: type[Recorded]) -> None:
    captured = Captured(lambda pair: pair[0])
    assert captured((torch.ones(1), object())).item() == 1
    assert captured.problem == "a object goes into it"
    assert graph.made == 0


@torch.no_grad()
def test_an_error_without_a_word_is_no_crash(graph: type[Recorded]) -> None:
    graph.raises = AssertionError()
    captured = Captured(doubled)
    assert captured((torch.ones(1), 3))["twice"].item() == 2
    assert captured.problem == "AssertionError: no reason given"


def test_gradients_are_those_of_the_function(graph: type[Recorded]) -> None:
    value = torch.tensor([3.0], requires_grad=True)
    Captured(doubled)((value, 3))["twice"].backward()
    assert value.grad is not None
    assert value.grad.item() == 2
    assert graph.made == 0


@torch.no_grad()
def test_a_copy_captures_its_own(graph: type[Recorded]) -> None:
    class Scale:
        def __init__(self) -> None:
            self.factor = torch.tensor(2.0)

        def __call__(self, values: Any) -> Any:
            return self.factor * values

    captured = Captured(Scale())
    captured(torch.ones(1))
    other = copy.deepcopy(captured)
    assert not other._graphs
    captured._function.factor.fill_(5.0)
    assert other(torch.ones(1)).item() == 2
