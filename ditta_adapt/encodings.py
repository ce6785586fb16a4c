"""Frozen encodings of the warm-up frames, computed once and kept within a budget."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.segmenter import Encoded, Segmenter


def encode_frame(
    segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"], device: torch.device
) -> Encoded:
    """Preprocess and encode one frame, without gradients."""
    with torch.no_grad():
        return segmenter.encode(segmenter.preprocess(frame.unsqueeze(0).to(device)))


class EncodingCache:
    """Encodings by frame index: on the device while they fit, then on the CPU, else recomputed.

    Args:
        segmenter: its encoder is frozen, so an encoding stays true while the decoder is adapted.
        frames: `(3, H, W)` uint8 each.
        device: where encodings are handed out.
        device_bytes: budget on `device`.
        cpu_bytes: budget on the CPU. On a CPU device the two add up.
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
        self._segmenter = segmenter
        self._frames = frames
        self._device = device
        self._left = {device: device_bytes}
        cpu = torch.device("cpu")
        self._left[cpu] = self._left.get(cpu, 0) + cpu_bytes
        self._kept: dict[int, Encoded] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, t: int) -> Encoded:
        """The encoding of frame `t`, on the device."""
        if t in self._kept:
            return _to(self._kept[t], self._device)
        encoded = encode_frame(self._segmenter, self._frames[t], self._device)
        size = sum(leaf.nbytes for leaf in pytree.tree_leaves(encoded) if isinstance(leaf, Tensor))
        for place, left in self._left.items():
            if size <= left:
                self._left[place] -= size
                self._kept[t] = _to(encoded, place)
                break
        return encoded


def _to(encoded: Encoded, device: torch.device) -> Encoded:
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device), encoded)
