"""Which modules hold the weights that are adapted."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True)
class Adaptable:
    """What is adapted, by name.

    Attributes:
        modules: those all of whose weights are adapted.
        parameters: single ones besides.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...]


def adaptable_parts(model: nn.Module, adaptable: Collection[int]) -> Adaptable:
    """The outermost modules all of whose weights are adapted, and single weights of others.

    Args:
        model: whose parts are named; the model as a whole has no name.
        adaptable: parameters, by identity.
    """
    modules: list[str] = []
    single: list[str] = []

    def collect(module: nn.Module, name: str) -> None:
        own = [each for each in module.parameters() if each.is_floating_point()]
        chosen = [id(each) in adaptable for each in own]
        if name and own and all(chosen):
            modules.append(name)
        elif any(chosen):
            single.extend(
                _joined(name, key)
                for key, parameter in module.named_parameters(recurse=False)
                if id(parameter) in adaptable
            )
            for key, child in module.named_children():
                collect(child, _joined(name, key))

    collect(model, "")
    return Adaptable(tuple(modules), tuple(single))


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
