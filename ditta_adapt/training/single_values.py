"""Norms that see one value a channel, of which train mode makes nothing."""

from contextlib import ExitStack

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ditta_adapt.models.hooks import caught_inputs
from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.training.student import Student


def single_value_norms(student: Student, encoded: Encoded) -> frozenset[str]:
    """The batch and instance norms of a decoder that see a single value a channel on a frame.

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
        if isinstance(layer, _NormBase)
    }
    with ExitStack() as stack, torch.no_grad():
        seen = {key: stack.enter_context(caught_inputs(layer)) for layer, key in layers.items()}
        student.decode(encoded)
    return frozenset(
        key
        for key, inputs in seen.items()
        if any(batch.numel() == batch.shape[1] for batch in inputs)
    )
