"""The modules of a model by name."""

from torch import nn


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Every module of a model by its dotted name, the model itself by `""`.

    Also of a model that has an attribute called `modules`, as some research code does.
    """
    return dict(nn.Module.named_modules(model))
