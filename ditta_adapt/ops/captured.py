"""Functions of tensors, replayed as CUDA graphs: the same kernels without the launches."""

import copy
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

_KEPT = 4
"""Graphs of so many kinds of input: a stream has one, and further ones for its second looks."""

_KNOWN = (
    Tensor,
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    torch.Size,
    torch.dtype,
    torch.device,
    type(None),
)


class Captured:
    """A function of tensors, run without gradients, as a CUDA graph where it can be one.

    Inputs and outputs are any nests of tensors and plain values. What the function computes must
    depend on its inputs and on tensors that stay where they are, such as weights, alone; these may
    be written in place. Every kind of input (shapes, dtypes, autocast) is captured once. The first
    replay is compared with the function itself; where it is not the same, or where capturing fails,
    the function is called as it is from then on, and `problem` says why. Not for several threads at
    a time.

    Args:
        function: of one nest.
        tolerance: by how much, of the largest magnitude, a replay may differ.

    Attributes:
        problem: why the function is called as it is, in plain words, or `""`.
    """

    def __init__(self, function: Callable[[Any], Any], *, tolerance: float = 1e-3) -> None:
        self._function, self._tolerance = function, tolerance
        self._graphs: dict[Hashable, _Graph] = {}
        self.problem = ""

    def __call__(self, inputs: Any) -> Any:
        """What the function returns; the caller's own to keep."""
        leaves, structure = pytree.tree_flatten(inputs)
        if self.problem or torch.is_grad_enabled() or not _on_one_gpu(leaves):
            return self._function(inputs)
        strange = [x for x in leaves if not isinstance(x, _KNOWN)]
        if strange:
            self.problem = f"a {type(strange[0]).__name__} goes into it"
            return self._function(inputs)
        key = _kind(leaves, structure)
        if key in self._graphs:
            return self._graphs[key].replay(leaves)
        expected = self._function(inputs)
        try:
            graph = _Graph(self._function, leaves, structure)
            self.problem = _difference(graph.replay(leaves), expected, self._tolerance)
        # Whatever a model does that a graph cannot: it has just answered without one.
        except Exception as error:
            first = (str(error).splitlines() or ["no reason given"])[0]
            self.problem = f"{type(error).__name__}: {first}"
        if not self.problem:
            self._graphs[key] = graph
            for oldest in list(self._graphs)[:-_KEPT]:
                del self._graphs[oldest]
        return expected

    def __deepcopy__(self, memo: dict[int, Any]) -> "Captured":
        # Graphs are of these weights; a copy captures its own.
        return Captured(copy.deepcopy(self._function, memo), tolerance=self._tolerance)


class _Graph:
    """One captured call, with memory of its own for what goes in and comes out."""

    def __init__(
        self, function: Callable[[Any], Any], leaves: list[Any], structure: pytree.TreeSpec
    ) -> None:
        device = next(x.device for x in leaves if isinstance(x, Tensor))
        # What autocast keeps of weights would be freed under the graph.
        casting = torch.autocast(
            "cuda",
            enabled=torch.is_autocast_enabled("cuda"),
            dtype=torch.get_autocast_dtype("cuda"),
            cache_enabled=False,
        )
        # Tensors of the inference mode could not be written to outside of it.
        with torch.cuda.device(device), torch.inference_mode(False), torch.no_grad(), casting:
            self._inputs = [x.clone() if isinstance(x, Tensor) else x for x in leaves]
            own = pytree.tree_unflatten(self._inputs, structure)
            stream: Any = torch.cuda.Stream
            aside = stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                # Libraries choose their kernels, and allocate, in the first calls.
                for _ in range(2):
                    function(own)
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                output = function(own)
        self._outputs, self._structure = pytree.tree_flatten(output)
        strange = [x for x in self._outputs if not isinstance(x, _KNOWN)]
        if strange:
            raise TypeError(f"a {type(strange[0]).__name__} comes out of it")

    def replay(self, leaves: list[Any]) -> Any:
        """The function's answer for other values of the inputs."""
        for own, given in zip(self._inputs, leaves, strict=True):
            if isinstance(own, Tensor):
                own.copy_(given)
        self._graph.replay()
        answers = [x.clone() if isinstance(x, Tensor) else x for x in self._outputs]
        return pytree.tree_unflatten(answers, self._structure)


def _on_one_gpu(leaves: list[Any]) -> bool:
    tensors = [x for x in leaves if isinstance(x, Tensor)]
    devices = {x.device for x in tensors}
    return len(devices) == 1 and devices.pop().type == "cuda"


def _kind(leaves: list[Any], structure: pytree.TreeSpec) -> Hashable:
    autocast = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    described = tuple(
        (x.shape, x.stride(), x.dtype, x.device) if isinstance(x, Tensor) else x for x in leaves
    )
    return described, str(structure), autocast


def _difference(got: Any, expected: Any, tolerance: float) -> str:
    """What is wrong with a replay, in plain words, or `""`; waits for the device."""
    pairs = zip(pytree.tree_leaves(got), pytree.tree_leaves(expected), strict=True)
    for one, other in pairs:
        if not isinstance(one, Tensor):
            continue
        scale = other.abs().max().clamp(min=1e-12).double()
        error = float((one.double() - other.double()).abs().max() / scale)
        if not error <= tolerance:
            return f"a replay differs by {error:.1e} of the largest value"
    return ""
