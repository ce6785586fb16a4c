"""What is computed of a warm-up frame once and for all, kept within a budget of memory."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.config import CacheBudget
from ditta_adapt.models.segmenter import Encoded

T = TypeVar("T")


class CacheSpace:
    """Bytes that may still be kept, on the device first, then on the CPU.

    Args:
        device: where the model is.
        budget: how many bytes at most. On a CPU device the two parts of it add up.
    """

    def __init__(self, device: torch.device, budget: CacheBudget) -> None:
        cpu = torch.device("cpu")
        self._left = {device: budget.device_bytes}
        self._left[cpu] = self._left.get(cpu, 0) + budget.cpu_bytes

    def reserve(self, size: int) -> torch.device | None:
        """Where so many bytes are to be kept; none if nowhere is room."""
        for place, left in self._left.items():
            if size <= left:
                self._left[place] -= size
                return place
        return None

    def give_back(self, size: int, place: torch.device) -> None:
        """Of what was reserved, what is no longer needed."""
        self._left[place] += size


class FrameCache(Generic[T]):
    """Values by frame index, each a nest of tensors: kept while they fit, else computed again.

    Args:
        compute: the value of a frame, on `device`.
        count: number of frames.
        device: where values are handed out.
        space: may be shared with other caches.
    """

    def __init__(
        self, compute: Callable[[int], T], count: int, device: torch.device, space: CacheSpace
    ) -> None:
        self._compute, self._count, self._device = compute, count, device
        self._space = space
        self._kept: dict[int, T] = {}
        self._reserved: list[tuple[int, torch.device]] = []

    def __len__(self) -> int:
        return self._count

    def __contains__(self, t: int) -> bool:
        """Whether the value of frame `t` is kept."""
        return t in self._kept

    def __getitem__(self, t: int) -> T:
        """The value of frame `t`, on the device."""
        if t in self._kept:
            return _to(self._kept[t], self._device)
        value = self._compute(t)
        leaves = pytree.tree_leaves(value)
        size = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        place = self._space.reserve(size)
        if place is not None:
            self._kept[t] = _to(value, place)
            self._reserved.append((size, place))
        return value

    def clear(self) -> None:
        """Keep nothing any more; the space is others' to use."""
        for size, place in self._reserved:
            self._space.give_back(size, place)
        self._kept.clear()
        self._reserved.clear()


def is_passed_through(images: Tensor, encoded: Encoded) -> bool:
    """Whether an encoding is the images themselves, so that nothing of the model is frozen.

    Args:
        images: what `Segmenter.preprocess` returned.
        encoded: what `Segmenter.encode` made of them.
    """
    leaves = [leaf for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor)]
    return len(leaves) == 1 and leaves[0].shape == images.shape and torch.equal(leaves[0], images)


def join_batch(first: Encoded, second: Encoded) -> Encoded:
    """Two encodings of one frame each as one of a batch of two, for `Segmenter.decode`.

    Tensors with a first axis of length one are joined along it; all else, such as a size or a
    table of positions, is the first's.

    Args:
        first: what `Segmenter.encode` returned for a batch of one.
        second: likewise, for another frame of the same size.
    """
    leaves, structure = pytree.tree_flatten(first)
    others = pytree.tree_leaves(second)
    joined = [
        torch.cat([one, other]) if isinstance(one, Tensor) and one.shape[:1] == (1,) else one
        for one, other in zip(leaves, others, strict=True)
    ]
    return pytree.tree_unflatten(joined, structure)


def at_least(dtype: torch.dtype, encoded: Encoded) -> Encoded:
    """An encoding whose floating-point tensors of fewer bits are cast to `dtype`."""

    def cast(tensor: Tensor) -> Tensor:
        narrow = tensor.is_floating_point() and tensor.dtype.itemsize < dtype.itemsize
        return tensor.to(dtype) if narrow else tensor

    return pytree.tree_map_only(Tensor, cast, encoded)


def _to(value: T, device: torch.device) -> T:
    moved: T = pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device), value)
    return moved
