"""A model's own forward pass, run in two halves: once recorded, then replayed.

The frozen modules are recorded while the forward pass runs; replayed, they answer from the record,
and all the rest of the forward pass runs as its author wrote it. So what a model does around its
decoder (padding, cropping, resizing, sliding windows) stays its own.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.hooks import caught_outputs, stopped_after
from ditta_adapt.models.segmenter import Encoded

Call = Callable[[nn.Module, Tensor], Any]
"""How a model is run on images: `model(images)`, or what its library does with it."""


def call_model(model: nn.Module, images: Tensor) -> Any:
    """`model(images)`."""
    return model(images)


@dataclass(frozen=True, slots=True)
class CallUntil:
    """Runs a model up to the end of one of its modules, and gives what that returns.

    Attributes:
        layer: name of the module.
        call: how the model is run.
    """

    layer: str
    call: Call = call_model

    def __call__(self, model: nn.Module, images: Tensor) -> Any:
        """What the module returns."""
        module = model.get_submodule(self.layer)
        with caught_outputs(module) as caught, stopped_after(module):
            self.call(model, images)
        if caught:
            return caught[-1]
        raise SegmenterError(
            f"the model's forward pass never called its submodule {self.layer!r}; name the "
            "submodule that forward calls directly."
        )


@dataclass(frozen=True, slots=True)
class Split:
    """Which modules are recorded, and what of it has to be kept.

    Attributes:
        frozen: names of the modules that answer from the record; none contains another one.
        needed: by name, which of the tensors that the module returns matter to the rest of the
            forward pass, numbered in their order; all of them where a name is missing. Of the
            others only the shape is kept.
        needs_image: whether the rest of the forward pass reads the image, and not only its size.
        written_later: modules whose outputs are written to afterwards, before the record ends.
        written_again: modules whose recorded outputs the rest of the forward pass writes to.
        calls: number of calls of frozen modules after which the recording ends; none to run the
            whole forward pass, where the number depends on the image, as of windows that slide.
    """

    frozen: tuple[str, ...] = ()
    needed: Mapping[str, frozenset[int]] = field(default_factory=dict)
    needs_image: bool = True
    written_later: frozenset[str] = frozenset()
    written_again: frozenset[str] = frozenset()
    calls: int | None = None


def record(model: nn.Module, call: Call, images: Float[Tensor, "B 3 H W"], split: Split) -> Encoded:
    """Run the forward pass until the frozen modules have answered.

    Returns:
        The images and the answers by module name, each a list with one answer a call; or the
        images alone where nothing is frozen.

    Raises:
        SegmenterError: a frozen module was never called.
    """
    if not split.frozen:
        return images
    answers: dict[str, list[Any]] = {name: [] for name in split.frozen}
    recorders = {name: _Recorder(name, split, answers) for name in split.frozen}
    with _replaced(model, recorders), suppress(_AllAnsweredError):
        call(model, images)
    if missing := [name for name, found in answers.items() if not found]:
        raise SegmenterError(
            f"the forward pass of {type(model).__name__} did not call {', '.join(missing)} on an "
            f"image of {tuple(images.shape[2:])} (H, W), as it did on others."
        )
    kept = {
        name: [_of_others(answer, split.needed.get(name), _shape_of) for answer in found]
        for name, found in answers.items()
    }
    return images if split.needs_image else _shape_of(images), kept


def replay(model: nn.Module, call: Call, encoded: Encoded, split: Split) -> Any:
    """Run the forward pass with the frozen modules answering from a record.

    Returns:
        What the model returns.

    Raises:
        SegmenterError: a frozen module is called more often than it was recorded.
    """
    if not split.frozen:
        return call(model, encoded)
    image, answers = encoded
    players = {name: _Player(name, split, iter(answers[name])) for name in split.frozen}
    with _replaced(model, players):
        return call(model, image if split.needs_image else _zeros_of(image))


class _AllAnsweredError(BaseException):
    """Ends a forward pass of which nothing more is needed; passes models that catch exceptions."""


class _Recorder:
    """Runs a module in its own way, and keeps what it answers."""

    def __init__(self, name: str, split: Split, answers: dict[str, list[Any]]) -> None:
        self._name, self._split, self._answers = name, split, answers
        self.forward: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        answer = self.forward(*args, **kwargs)
        written = self._name in self._split.written_later
        self._answers[self._name].append(_copied(answer) if written else answer)
        if sum(map(len, self._answers.values())) == self._split.calls:
            raise _AllAnsweredError
        return answer


class _Player:
    """Answers in place of a module what was recorded."""

    def __init__(self, name: str, split: Split, answers: Iterator[Any]) -> None:
        self._name, self._split, self._answers = name, split, answers
        self.forward: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            answer = next(self._answers)
        except StopIteration:
            raise SegmenterError(
                f"{self._name} is called more often than it was recorded, so how often depends on "
                "the size of the image, as where a window slides. Say so: "
                "HookedSegmenter(model, calls_vary=True)."
            ) from None
        filled = _of_others(answer, self._split.needed.get(self._name), _zeros_of)
        return _copied(filled) if self._name in self._split.written_again else filled


@contextmanager
def _replaced(model: nn.Module, replacements: Mapping[str, _Recorder | _Player]) -> Iterator[None]:
    """The forward methods of some modules replaced, on the modules themselves."""
    before: list[tuple[nn.Module, Any]] = []
    try:
        for name, replacement in replacements.items():
            module = model.get_submodule(name)
            before.append((module, module.__dict__.get("forward")))
            replacement.forward = module.forward
            module.__dict__["forward"] = replacement
        yield
    finally:
        for module, own in before:
            if own is None:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = own


def _copied(answer: Any) -> Any:
    return pytree.tree_map_only(Tensor, torch.clone, answer)


def _of_others(
    answer: Any, needed: frozenset[int] | None, change: Callable[[Tensor], Tensor]
) -> Any:
    """An answer with what does not matter of it changed."""
    if needed is None:
        return answer
    leaves, structure = pytree.tree_flatten(answer)
    number = -1
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            number += 1
            if number not in needed and leaf.ndim:
                leaves[i] = change(leaf)
    return pytree.tree_unflatten(leaves, structure)


def _shape_of(tensor: Tensor) -> Tensor:
    """A tensor that holds nothing but a shape: an axis of length 0 after the first one.

    So it takes no memory, and is moved, cast and joined along the batch like any other.
    """
    return tensor.new_empty((tensor.shape[0], 0, *tensor.shape[1:]))


def _zeros_of(shape: Tensor) -> Tensor:
    return shape.new_zeros((shape.shape[0], *shape.shape[2:]))
