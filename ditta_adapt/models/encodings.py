"""What is computed of a warm-up frame once and for all, kept within a budget of memory."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.segmenter import Encoded, Segmenter

T = TypeVar("T")


class CacheBudget:
    """Bytes that may still be kept, on the device first, then on the CPU.

    Args:
        device: where the model is.
        device_bytes: budget on `device`.
        cpu_bytes: budget on the CPU. On a CPU device the two add up.
    """

    def __init__(self, device: torch.device, *, device_bytes: int, cpu_bytes: int) -> None:
        self._left = {device: device_bytes}
        cpu = torch.device("cpu")
        self._left[cpu] = self._left.get(cpu, 0) + cpu_bytes

    def reserve(self, size: int) -> torch.device | None:
        """Where so many bytes are to be kept; none if nowhere is room."""
        for place, left in self._left.items():
            if size <= left:
                self._left[place] -= size
                return place
        return None


class FrameCache(Generic[T]):
    """Values by frame index, each a nest of tensors: kept while they fit, else computed again.

    Args:
        compute: the value of a frame, on `device`.
        count: number of frames.
        device: where values are handed out.
        budget: may be shared with other caches.
    """

    def __init__(
        self, compute: Callable[[int], T], count: int, device: torch.device, budget: CacheBudget
    ) -> None:
        self._compute, self._count, self._device = compute, count, device
        self.budget = budget
        self._kept: dict[int, T] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, t: int) -> T:
        """The value of frame `t`, on the device."""
        if t in self._kept:
            return _to(self._kept[t], self._device)
        value = self._compute(t)
        leaves = pytree.tree_leaves(value)
        size = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        place = self.budget.reserve(size)
        if place is not None:
            self._kept[t] = _to(value, place)
        return value


class EncodingCache(FrameCache[Encoded]):
    """Frozen encodings of frames.

    Args:
        segmenter: its encoder is frozen, so an encoding stays true while the decoder is adapted.
        frames: `(3, H, W)` uint8 each.
        device: where encodings are handed out.
        device_bytes: budget on `device`.
        cpu_bytes: budget on the CPU.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        frames: Sequence[UInt8[Tensor, "3 H W"]],
        device: torch.device,
        *,
        device_bytes: int,
        cpu_bytes: int,
    ) -> None:
        super().__init__(
            lambda t: encode_frame(segmenter, frames[t]),
            len(frames),
            device,
            CacheBudget(device, device_bytes=device_bytes, cpu_bytes=cpu_bytes),
        )


def _to(value: T, device: torch.device) -> T:
    moved: T = pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device), value)
    return moved
