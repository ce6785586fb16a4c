"""Private copies: the user's model is read, never written."""

import copy
import hashlib
from typing import TypeVar

import torch
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.segmenter import Segmenter

S = TypeVar("S", bound=Segmenter)


def private_copy(segmenter: S) -> S:
    """Copy a segmenter; only the memory of its frozen parameters is shared.

    All module objects of the copy are its own, so train flags, `requires_grad` and hooks can be
    changed without the original noticing. The copy is in eval mode; exactly its adaptable
    parameters require gradients.

    Raises:
        SegmenterError: the segmenter cannot be copied, or declares nothing to adapt.
    """
    adaptable = {id(tensor) for tensor in _adaptable_tensors(segmenter).values()}
    memo: dict[int, object] = {}
    for module in modules_of(segmenter):
        for parameter in module.parameters():
            # A subclass of Parameter is left to its own way of copying.
            if id(parameter) not in adaptable and type(parameter) is nn.Parameter:
                memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    try:
        duplicate = copy.deepcopy(segmenter, memo)
    except Exception as error:
        raise SegmenterError(
            f"{type(segmenter).__name__} cannot be copied ({error}). Adaptation works on a copy so "
            "that the model itself stays as it is: remove what cannot be copied from the model or "
            "adapter (locks, open files, non-leaf tensors), or give it a __deepcopy__."
        ) from error
    for module in modules_of(duplicate):
        module.eval()
    for parameter in adaptable_parameters(duplicate):
        parameter.requires_grad_(True)
    return duplicate


def modules_of(segmenter: Segmenter) -> list[nn.Module]:
    """The modules a segmenter is or holds: itself, its attributes, its adaptable modules."""
    found: dict[int, nn.Module] = {}
    held = getattr(segmenter, "__dict__", {}).values()
    candidates = [segmenter, *held, *segmenter.adaptable_modules().values()]
    for candidate in candidates:
        if isinstance(candidate, nn.Module):
            found[id(candidate)] = candidate
    return list(found.values())


def adaptable_parameters(segmenter: Segmenter) -> list[nn.Parameter]:
    """The parameters of the adaptable modules, each once."""
    parameters: dict[int, nn.Parameter] = {}
    for module in segmenter.adaptable_modules().values():
        parameters.update((id(parameter), parameter) for parameter in module.parameters())
    return list(parameters.values())


def adaptable_state(segmenter: Segmenter) -> dict[str, Tensor]:
    """Parameters and buffers of the adaptable modules, by `"<module>.<name>"`, not cloned."""
    return _adaptable_tensors(segmenter)


def device_of(segmenter: Segmenter) -> torch.device:
    """The device the adaptable parameters are on."""
    return adaptable_parameters(segmenter)[0].device


def weight_hash(segmenter: Segmenter) -> str:
    """SHA-256 over names, shapes, dtypes and values of all weights of a segmenter."""
    digest = hashlib.sha256()
    for module in modules_of(segmenter):
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
            data = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(data.numpy().tobytes())
    return digest.hexdigest()


def _adaptable_tensors(segmenter: Segmenter) -> dict[str, Tensor]:
    modules = segmenter.adaptable_modules()
    tensors = {
        f"{name}.{key}": tensor
        for name, module in modules.items()
        for source in (module.named_parameters(), module.named_buffers())
        for key, tensor in source
    }
    if not any(True for module in modules.values() for _ in module.parameters()):
        raise SegmenterError(
            f"adaptable_modules of {type(segmenter).__name__} has no parameters; return at least "
            "one module with weights, usually the decoder."
        )
    return tensors
