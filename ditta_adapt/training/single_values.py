"""Batch norms that see one value a channel, of which train mode makes nothing."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.training.student import Student


def single_value_norms(student: Student, encoded: Encoded) -> frozenset[str]:
    """The batch norms of a decoder that see a single value a channel on a frame.

    Such as behind a pooling to 1 x 1 (PSPNet, ASPP). The mean of one value is the value and its
    variance 0, so in train mode torch refuses them.

    Args:
        student: in eval mode.
        encoded: of one frame.

    Returns:
        Their names, as `Student.set_training` takes them.
    """
    layers: dict[nn.Module, str] = {
        layer: key
        for name, module in student.segmenter.adaptable_modules().items()
        for key, layer in module.named_modules(prefix=name)
        if isinstance(layer, _BatchNorm)
    }
    found: set[str] = set()

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        batch = inputs[0]
        if batch.numel() == batch.shape[1]:
            found.add(layers[layer])

    handles = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        with torch.no_grad():
            student.decode(encoded)
    finally:
        for handle in handles:
            handle.remove()
    return frozenset(found)
