"""What every check of a segmenter starts from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frames_to_tensors
from ditta_adapt.models.parameters import adaptable_parameters, device_of, modules_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.testing.shapes_video import shapes_video


@dataclass(frozen=True, slots=True)
class SegmenterCase:
    """A way to build the adapter, and two frames to show it.

    Attributes:
        factory: returns a fresh adapter.
        images: `(2, 3, H, W)` uint8 RGB.
        reference: the model's own forward pass, `images -> logits`, if the caller has it.
    """

    factory: Callable[[], Any]
    images: UInt8[Tensor, "2 3 H W"]
    reference: Callable[[Tensor], Tensor] | None

    @classmethod
    def create(
        cls,
        factory: Callable[[], Any],
        frames: Sequence[Frame] | None,
        reference: Callable[[Tensor], Tensor] | None,
    ) -> "SegmenterCase":
        """A case on the caller's first two frames, or on generated ones.

        Raises:
            InputError: `factory` cannot be called, or fewer than two frames.
            ShapeError: a malformed frame.
        """
        if not callable(factory):
            raise InputError(
                f"factory is a {type(factory).__name__}; expected a function without arguments "
                "that returns a fresh adapter, such as lambda: MySegmenter(model)."
            )
        tensors = frames_to_tensors(shapes_video(2).frames if frames is None else frames)
        if len(tensors) < 2:
            raise InputError("frames has one frame; the checks need two different ones.")
        return cls(factory, torch.stack(tensors[:2]), reference)

    def copy(self) -> Any:
        """A private copy of a fresh adapter, as adaptation and prediction work on one."""
        return private_copy(self.factory())

    def frames_for(self, segmenter: Any) -> UInt8[Tensor, "2 3 H W"]:
        """The two frames, on the device of the adapter."""
        return self.images.to(device_of(segmenter), copy=True)


def predict(segmenter: Any, frames: Tensor) -> Any:
    """The whole way from frames to decoder output, without gradients."""
    with torch.no_grad():
        return segmenter.decode(encode(segmenter, frames))


def encode(segmenter: Any, frames: Tensor) -> Any:
    """From frames to the encoding, without gradients."""
    with torch.no_grad():
        return segmenter.encode(segmenter.preprocess(frames))


def training_step(segmenter: Any, encoded: Any) -> None:
    """One optimiser step in train mode, then back to eval mode: what adaptation does."""
    for module in segmenter.adaptable_modules().values():
        module.train()
    parameters = adaptable_parameters(segmenter)
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    with torch.enable_grad():
        loss_of(segmenter.decode(encoded)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()
    for module in segmenter.adaptable_modules().values():
        module.eval()


def loss_of(output: Any) -> Tensor:
    """A loss that depends on every logit and every feature."""
    total: Tensor = output.logits.float().square().mean() + output.features.float().square().mean()
    return total


def tensors_in(encoded: Any) -> list[Tensor]:
    """The tensors in a nest of tuples, lists and dicts."""
    return [leaf for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor)]


def state_of(segmenter: Any) -> dict[str, Any]:
    """Everything of an adapter's modules that prediction must not change, by name."""
    state: dict[str, Any] = {}
    for i, held in enumerate(modules_of(segmenter)):
        for name, module in held.named_modules():
            state[f"train flag of {i}.{name}"] = module.training
            hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
            state[f"hooks of {i}.{name}"] = tuple(map(len, hooks))
        for name, tensor in (*held.named_parameters(), *held.named_buffers()):
            state[f"value of {i}.{name}"] = tensor.detach().clone()
            state[f"requires_grad of {i}.{name}"] = tensor.requires_grad
            state[f"gradient of {i}.{name}"] = tensor.grad is not None
    return state


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what differs between two states."""
    names = sorted(before.keys() ^ after.keys())
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        same = _same_bits(old, new) if isinstance(old, Tensor) else old == new
        if not same:
            names.append(name)
    return sorted(names)


def _same_bits(a: Tensor, b: Tensor) -> bool:
    same_kind = a.shape == b.shape and a.dtype == b.dtype
    # A NaN that stays is no change.
    return same_kind and bool(torch.equal(a, b) or ((a == b) | ((a != a) & (b != b))).all())


def set_train_mode(segmenter: Any) -> None:
    """Put every module of an adapter in train mode."""
    for module in modules_of(segmenter):
        module.train()


def module_of(segmenter: Any) -> nn.Module | None:
    """The adapter's `.model`, if it is a module."""
    model = getattr(segmenter, "model", None)
    return model if isinstance(model, nn.Module) else None
