"""One run of a model, watched: which modules are called when, what goes in, what comes out."""

import functools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.replay import Call


@dataclass(slots=True)
class ModuleCall:
    """One call of one module.

    Attributes:
        name: of the module, dotted; `""` is the model.
        parent: the call it was made in, as a position in `Trace.calls`; none for the model's own.
        depth: number of calls it was made in.
        start: position among all beginnings and ends of calls.
        end: likewise.
        inputs: the tensors among its arguments.
        output: what it returned.
        versions: of the tensors in the output, at the time it returned; see `Tensor._version`.
        flops: floating-point operations of the whole run before it ended.
        work: those of this call.
    """

    name: str
    parent: int | None
    depth: int
    start: int
    end: int = -1
    inputs: list[Tensor] = field(default_factory=list)
    output: Any = None
    versions: list[int] = field(default_factory=list)
    flops: int = 0
    work: int = 0

    @property
    def outputs(self) -> list[Tensor]:
        """The tensors in the output."""
        return tensors_in(self.output)


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of a model on images.

    Attributes:
        images: what the model was run on.
        calls: in the order they began.
        output: what the model returned.
        flops: floating-point operations of the run, of matrix products and convolutions.
    """

    images: Tensor
    calls: list[ModuleCall]
    output: Any
    flops: int

    def of(self, name: str) -> list[ModuleCall]:
        """The calls of one module."""
        return [call for call in self.calls if call.name == name]


def trace(model: nn.Module, call: Call, images: Tensor) -> Trace:
    """Run a model with gradients, and watch its modules.

    Args:
        model: in eval mode, a private copy: hooks are put on it and taken off again.
        call: how it is run.
        images: `(B, 3, H, W)`.
    """
    watch = _Watch(_Flops())
    handles = []
    try:
        for name, module in named_modules(model).items():
            begin = functools.partial(watch.begin, name)
            handles.append(module.register_forward_pre_hook(begin, with_kwargs=True))
            handles.append(module.register_forward_hook(watch.finish))
        with watch.flops, torch.enable_grad():
            output = call(model, images)
    finally:
        for handle in handles:
            handle.remove()
    watch.close()
    return Trace(images, watch.calls, output, watch.flops.total)


def tensors_in(nest: Any) -> list[Tensor]:
    """The tensors in a nest of tuples, lists and dicts."""
    return [leaf for leaf in pytree.tree_leaves(nest) if isinstance(leaf, Tensor)]


class _Watch:
    """Keeps what hooks tell it."""

    def __init__(self, flops: "_Flops") -> None:
        self.flops = flops
        self.calls: list[ModuleCall] = []
        self._open: list[int] = []
        self._clock = 0

    def begin(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """A call of a module begins."""
        parent = self._open[-1] if self._open else None
        depth, work = len(self._open), -self.flops.total
        self._open.append(len(self.calls))
        inputs = tensors_in((args, kwargs))
        self.calls.append(ModuleCall(name, parent, depth, self._clock, inputs=inputs, work=work))
        self._clock += 1

    def finish(self, module: nn.Module, args: Any, output: Any) -> None:
        """The innermost call ends."""
        ended = self.calls[self._open.pop()]
        ended.end, ended.output, ended.flops = self._clock, output, self.flops.total
        ended.work += self.flops.total
        ended.versions = [tensor._version for tensor in ended.outputs]
        self._clock += 1

    def close(self) -> None:
        """The run is over: what it left early, such as by `CallUntil`, ended with it."""
        while self._open:
            ended = self.calls[self._open.pop()]
            ended.end, ended.flops = self._clock, self.flops.total
            ended.work += self.flops.total
            self._clock += 1


class _Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of matrix products, convolutions and attention."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **kwargs, out_val=output)
        return output
