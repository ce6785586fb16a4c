"""Masks packed for keeping, so that only one frame's masks are ever in memory unpacked."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from ditta_adapt.teachers.propagator import Masks

_STEPS = 255


@dataclass(frozen=True, slots=True)
class PackedMasks:
    """`Masks` of one frame, one bit a pixel and compressed: about a kilobyte a mask.

    Scores, where there are any, take eight bits a pixel before compression.
    """

    object_ids: tuple[int, ...]
    size: tuple[int, int]
    data: tuple[bytes, ...]
    scores: tuple[bytes, ...] | None = None

    @classmethod
    def pack(cls, masks: Masks) -> "PackedMasks":
        """Pack masks on any device. Scores in [0, 1] are rounded to multiples of 1/255."""
        height, width = masks.masks.shape[1:]
        scores = None
        if masks.scores is not None:
            steps = (masks.scores.float() * _STEPS).round().byte()
            scores = _compressed(steps.flatten(1).cpu().numpy())
        return cls(
            object_ids=tuple(masks.object_ids.tolist()),
            size=(height, width),
            data=_compressed(np.packbits(masks.masks.flatten(1).cpu().numpy(), axis=1)),
            scores=scores,
        )

    def unpack(self) -> Masks:
        """The masks again, on the CPU; their scores in float32, at most 1/510 off."""
        height, width = self.size
        shape = (len(self.data), height, width)
        masks = np.zeros((len(self.data), height * width), dtype=bool)
        for row, data in zip(masks, self.data, strict=True):
            row[:] = _bits(data, height * width)
        scores = None
        if self.scores is not None:
            steps = np.zeros(masks.shape, dtype=np.uint8)
            for row, data in zip(steps, self.scores, strict=True):
                row[:] = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
            scores = (torch.from_numpy(steps).float() / _STEPS).view(shape)
        return Masks(
            object_ids=torch.tensor(self.object_ids, dtype=torch.int64, device="cpu"),
            masks=torch.from_numpy(masks.reshape(shape)),
            scores=scores,
        )

    def join(self, other: "PackedMasks") -> "PackedMasks":
        """The objects of both, ordered by id; no id may occur twice.

        If only one of the two has scores, so have the objects of both: masks without scores are
        sure, so theirs are 1 inside and 0 outside.
        """
        ids = self.object_ids + other.object_ids
        order = sorted(range(len(ids)), key=ids.__getitem__)
        data = self.data + other.data
        scores = None
        if self.scores is not None or other.scores is not None:
            joined = self._sure_or_scores() + other._sure_or_scores()
            scores = tuple(joined[index] for index in order)
        return PackedMasks(
            object_ids=tuple(ids[index] for index in order),
            size=self.size,
            data=tuple(data[index] for index in order),
            scores=scores,
        )

    def _sure_or_scores(self) -> tuple[bytes, ...]:
        if self.scores is not None:
            return self.scores
        height, width = self.size
        return _compressed(_STEPS * _bits(data, height * width) for data in self.data)


def _compressed(rows: Iterable[np.ndarray]) -> tuple[bytes, ...]:
    return tuple(zlib.compress(row.tobytes(), level=1) for row in rows)


def _bits(data: bytes, count: int) -> np.ndarray:
    """`(count,)` uint8, 0 or 1."""
    return np.unpackbits(np.frombuffer(zlib.decompress(data), dtype=np.uint8), count=count)
