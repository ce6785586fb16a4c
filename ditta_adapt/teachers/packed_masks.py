"""Masks packed for keeping, so that only one frame's masks are ever in memory unpacked."""

import zlib
from dataclasses import dataclass

import numpy as np
import torch

from ditta_adapt.teachers.propagator import Masks


@dataclass(frozen=True, slots=True)
class PackedMasks:
    """`Masks` of one frame, one bit a pixel and compressed: about a kilobyte a mask."""

    object_ids: tuple[int, ...]
    size: tuple[int, int]
    data: tuple[bytes, ...]

    @classmethod
    def pack(cls, masks: Masks) -> "PackedMasks":
        """Pack masks on any device."""
        bits = np.packbits(masks.masks.flatten(1).cpu().numpy(), axis=1)
        height, width = masks.masks.shape[1:]
        return cls(
            object_ids=tuple(masks.object_ids.tolist()),
            size=(height, width),
            data=tuple(zlib.compress(row.tobytes(), level=1) for row in bits),
        )

    def unpack(self) -> Masks:
        """The masks again, on the CPU."""
        height, width = self.size
        masks = np.zeros((len(self.data), height * width), dtype=bool)
        for row, data in zip(masks, self.data, strict=True):
            bits = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
            row[:] = np.unpackbits(bits, count=height * width)
        return Masks(
            object_ids=torch.tensor(self.object_ids, dtype=torch.int64),
            masks=torch.from_numpy(masks.reshape(-1, height, width)),
        )

    def join(self, other: "PackedMasks") -> "PackedMasks":
        """The objects of both, ordered by id; no id may occur twice."""
        ids, data = self.object_ids + other.object_ids, self.data + other.data
        entries = sorted(zip(ids, data, strict=True))
        return PackedMasks(
            object_ids=tuple(object_id for object_id, _ in entries),
            size=self.size,
            data=tuple(data for _, data in entries),
        )
