"""What has to be kept of a frozen part, found by running the rest on another image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.models.discovery.trace import Trace, tensors_in
from ditta_adapt.models.replay import Call, Split, record, replay

Reader: TypeAlias = Callable[[Any], Tensor]
"""The class scores in what a model returns."""


@dataclass(frozen=True, slots=True)
class FoundSplit:
    """A split by which a model gives what it gives as a whole.

    Attributes:
        split: what is frozen, and what of it is kept.
        adaptable: the parameters that the scores depend on after the split and not before it, by
            identity.
    """

    split: Split
    adaptable: frozenset[int]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under examination: a private copy, in eval mode, whose weights require gradients.

    Attributes:
        model: the copy.
        call: how it is run.
        read: finds the scores.
        run: on one image, with gradients.
        other: another image of the same size.
        whole: the scores of the first image without gradients; some layers round otherwise then.
    """

    model: nn.Module
    call: Call
    read: Reader
    run: Trace
    other: Tensor
    whole: Tensor


def try_split(subject: Subject, frozen: tuple[str, ...]) -> FoundSplit | None:
    """Run the rest of a forward pass on another image, with frozen modules answering of the first.

    If the scores are those of the first image bit for bit, then what was frozen alone determines
    them. If they are not, the rest reads the image itself, which is then kept: with it, any split
    gives what the model gives.

    Args:
        subject: the model.
        frozen: names of its modules.

    Returns:
        None where the rest takes no gradient or has no weights of its own, or cannot be run so.
    """
    model, call, run = subject.model, subject.call, subject.run
    try:
        expected = subject.read(run.output).detach()
        split = Split(frozen, written_later=_written_later(run, frozen))
        split = replace(split, calls=sum(each.name in frozen for each in run.calls))
        with torch.enable_grad():
            _, answers = record(model, call, run.images, split)
        rest = _Rest.run(subject, split, answers, subject.other)
        alone = torch.equal(rest.scores.detach(), expected)
        if not alone:
            rest = _Rest.run(subject, split, answers, run.images)
        split = rest.pruned(split, needs_image=not alone)
        adaptable = depends_on(rest.scores, model) - _used_by_record(run, frozen, model)
        with torch.no_grad():
            again = subject.read(replay(model, call, record(model, call, run.images, split), split))
    except (torch.OutOfMemoryError, MemoryError):
        raise
    # A forward pass may do anything with what it is given in place of the frozen part's answers.
    except Exception:
        return None
    return FoundSplit(split, adaptable) if adaptable and torch.equal(again, subject.whole) else None


@dataclass(frozen=True, slots=True)
class _Rest:
    """A run of the rest of a forward pass, with gradients.

    Attributes:
        scores: that it gave.
        leaves: the tensors of the record that it was given, by module, one list a call.
        written: the modules whose tensors it wrote to.
    """

    scores: Tensor
    leaves: dict[str, list[list[Tensor]]]
    written: frozenset[str]

    @classmethod
    def run(
        cls, subject: Subject, split: Split, answers: dict[str, list[Any]], image: Tensor
    ) -> "_Rest":
        leaves: dict[str, list[list[Tensor]]] = {name: [] for name in answers}
        given: dict[str, list[Any]] = {name: [] for name in answers}
        for name, calls in answers.items():
            for answer in calls:
                taken = pytree.tree_map_only(Tensor, _leaf, answer)
                leaves[name].append(tensors_in(taken))
                # Copies, since a tensor that gradients are asked of may not be written to.
                given[name].append(pytree.tree_map_only(Tensor, torch.clone, taken))
        versions = _versions(given)
        with torch.enable_grad():
            whole = replace(split, needs_image=True)
            scores = subject.read(replay(subject.model, subject.call, (image, given), whole))
        after = _versions(given)
        written = frozenset(name for name in given if after[name] != versions[name])
        return cls(scores, leaves, written)

    def pruned(self, split: Split, *, needs_image: bool) -> Split:
        """The split with only what the scores depend on."""
        flat = [
            (name, number, leaf)
            for name, calls in self.leaves.items()
            for leaves in calls
            for number, leaf in enumerate(leaves)
        ]
        asked = [(name, number, leaf) for name, number, leaf in flat if leaf.requires_grad]
        gradients = torch.autograd.grad(
            self.scores.sum(),
            [leaf for *_, leaf in asked],
            allow_unused=True,
            retain_graph=True,
        )
        matters = {
            (name, number)
            for (name, number, _), gradient in zip(asked, gradients, strict=True)
            if gradient is not None
        }
        # Whether integers matter, gradients do not tell.
        matters |= {(name, number) for name, number, leaf in flat if not leaf.requires_grad}
        needed = {
            name: frozenset(number for module, number in matters if module == name)
            for name in self.leaves
        }
        return replace(split, needed=needed, needs_image=needs_image, written_again=self.written)


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.is_floating_point())


def _versions(answers: dict[str, list[Any]]) -> dict[str, list[int]]:
    return {
        name: [tensor._version for tensor in tensors_in(calls)] for name, calls in answers.items()
    }


def _written_later(run: Trace, frozen: Sequence[str]) -> frozenset[str]:
    """Modules whose outputs are not, at the end of a run, what they were when they returned."""
    return frozenset(
        call.name
        for call in run.calls
        if call.name in frozen and [tensor._version for tensor in call.outputs] != call.versions
    )


def depends_on(scores: Tensor, model: nn.Module) -> frozenset[int]:
    """The parameters that scores depend on, by identity."""
    return _with_gradient([scores], model)


def _used_by_record(run: Trace, frozen: Sequence[str], model: nn.Module) -> frozenset[int]:
    """The parameters that the answers of frozen modules depend on."""
    return _with_gradient(
        [tensor for call in run.calls if call.name in frozen for tensor in call.outputs], model
    )


def _with_gradient(tensors: Sequence[Tensor], model: nn.Module) -> frozenset[int]:
    parameters = [each for each in model.parameters() if each.requires_grad]
    sources = [tensor.sum() for tensor in tensors if tensor.requires_grad]
    if not sources or not parameters:
        return frozenset()
    gradients = torch.autograd.grad(sources, parameters, allow_unused=True, retain_graph=True)
    return frozenset(
        id(parameter)
        for parameter, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None
    )
