"""What a segmenter is made of: its modules, parameters and state, and where they are."""

import hashlib
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ditta_adapt.errors import InputError, SegmenterError
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.segmenter import Segmenter, is_segmenter


def modules_of(segmenter: Segmenter) -> list[nn.Module]:
    """The modules a segmenter is or holds, each once; also its adaptable modules.

    It holds what can be reached through attributes, lists, tuples and dicts: in the segmenter and
    in plain objects, such as another segmenter that it leaves the work to. What is inside of a
    module is left to that module.
    """
    # By identity, since things may hold one another; and held on to, so that identities stay.
    seen: dict[int, object] = {}
    # A segmenter around another one is made of that one's modules, wherever it holds them.
    inner = getattr(segmenter, "segmenter", None)
    whole = (segmenter, inner) if is_segmenter(inner) else (segmenter,)
    waiting: list[object] = [segmenter, *segmenter.adaptable_modules().values()][::-1]
    while waiting:
        candidate = waiting.pop()
        if id(candidate) not in seen:
            seen[id(candidate)] = candidate
            if any(candidate is own for own in whole) or not isinstance(candidate, nn.Module):
                waiting += _held_by(candidate)[::-1]
    return [candidate for candidate in seen.values() if isinstance(candidate, nn.Module)]


def layers_of(segmenter: Segmenter) -> list[nn.Module]:
    """Every module of a segmenter, those inside of others too, each once."""
    layers = {
        id(layer): layer
        for module in modules_of(segmenter)
        for layer in named_modules(module).values()
    }
    return list(layers.values())


# They have attributes, but those are not part of a model.
_LEAVES = (type, ModuleType, FunctionType, MethodType, Tensor, np.ndarray)


def _held_by(holder: object) -> list[object]:
    if isinstance(holder, dict):
        return list(holder.values())
    if isinstance(holder, list | tuple):
        return list(holder)
    if isinstance(holder, _LEAVES):
        return []
    attributes = dict(getattr(holder, "__dict__", {}))
    if isinstance(holder, nn.Module):
        attributes.pop("_modules", None)
    return list(attributes.values())


def adaptable_parameters(segmenter: Segmenter) -> list[nn.Parameter]:
    """The floating-point parameters of the adaptable modules, each once.

    Raises:
        SegmenterError: there is none.
    """
    parameters: dict[int, nn.Parameter] = {}
    for module in segmenter.adaptable_modules().values():
        parameters.update((id(parameter), parameter) for parameter in module.parameters())
    if not parameters:
        raise SegmenterError(
            f"adaptable_modules of {type(segmenter).__name__} has no parameters; return at least "
            "one module with weights, usually the decoder."
        )
    # Packed and quantised weights take no gradient.
    trainable = [each for each in parameters.values() if each.is_floating_point()]
    if not trainable:
        raise SegmenterError(
            f"all weights that adaptable_modules of {type(segmenter).__name__} has are integers, "
            "which gradients cannot change. Wrap the model before it is quantised."
        )
    return trainable


def all_parameters(segmenter: Segmenter) -> list[nn.Parameter]:
    """Every parameter a segmenter holds, frozen ones too, each once."""
    parameters: dict[int, nn.Parameter] = {}
    for module in modules_of(segmenter):
        parameters.update((id(parameter), parameter) for parameter in module.parameters())
    return list(parameters.values())


_RUNNING_STATISTICS = ("running_mean", "running_var")


def adaptable_state(segmenter: Segmenter) -> dict[str, Tensor]:
    """What adaptation changes, by `"<module>.<name>"`, not cloned.

    Floating-point parameters of the adaptable modules, and the running statistics of their norms.
    All other buffers, such as masks and tables of positions, belong to the model and stay: they
    may be infinite, be expanded from one value, or have the size of a frame.
    """
    return {
        f"{name}.{key}": tensor
        for name, module in segmenter.adaptable_modules().items()
        for source in (module.named_parameters(), _running_statistics(module))
        for key, tensor in source
        if tensor.is_floating_point()
    }


def _running_statistics(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, buffer in module.named_buffers():
        if name.rpartition(".")[2] in _RUNNING_STATISTICS:
            yield name, buffer


def other_buffers(segmenter: Segmenter) -> list[tuple[nn.Module, str, Tensor]]:
    """The buffers of the adaptable modules that are no running statistics: owner, name, buffer."""
    return [
        (owner, name, buffer)
        for module in segmenter.adaptable_modules().values()
        for owner in named_modules(module).values()
        for name, buffer in owner.named_buffers(recurse=False)
        if name not in _RUNNING_STATISTICS
    ]


def device_of(segmenter: Segmenter) -> torch.device:
    """The device the adaptable parameters are on."""
    return adaptable_parameters(segmenter)[0].device


def dtype_of(model: nn.Module) -> torch.dtype:
    """The precision that a model takes images in: that of its first floating-point parameter."""
    floating = (each.dtype for each in model.parameters() if each.is_floating_point())
    return next(floating, torch.float32)


def check_device(segmenter: Segmenter, device: torch.device | str) -> None:
    """Check that a segmenter is on a device; it belongs to the caller and is not moved.

    Raises:
        InputError: it is on another one, or there is no such device.
    """
    try:
        asked = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device is {device!r}; expected such as 'cpu' or 'cuda'.") from error
    own = device_of(segmenter)
    if asked.type != own.type or asked.index not in (None, own.index):
        raise InputError(
            f"the image model is on {own}. Move it and wrap it again: "
            f"wrap(model.to({str(asked)!r})). What was adapted goes along with save_pretrained and "
            "load_pretrained."
        )


def weight_hash(segmenter: Segmenter) -> str:
    """SHA-256 over names, shapes, dtypes and values of all weights of a segmenter."""
    digest = hashlib.sha256()
    for module in modules_of(segmenter):
        for name, tensor in sorted(module.state_dict().items()):
            if not isinstance(tensor, Tensor) or tensor.is_quantized:
                # What a layer packs, or keeps beside its weights.
                digest.update(f"{name}:{tensor!r};".encode())
                continue
            digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
            data = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(data.numpy().tobytes())
    return digest.hexdigest()
