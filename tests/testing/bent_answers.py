"""Sessions that bend every answer of a teacher."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import Masks, Prompt
from tests.testing.good_propagator import Session


class Answers(Session):
    """Bends every answer alike."""

    def bend(self, masks: Masks) -> Any:
        return masks

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        return self.bend(super().prompt(t, prompts))

    def propagate(self, t: int, to: int) -> Any:
        return self.bend(super().propagate(t, to))


class FloatMasks(Answers):
    def bend(self, masks: Masks) -> Any:
        return Masks(masks.object_ids, masks.masks.float())


class HalfSize(Answers):
    def bend(self, masks: Masks) -> Any:
        return Masks(masks.object_ids, masks.masks[:, ::2, ::2])


class PlainTuple(Answers):
    def bend(self, masks: Masks) -> Any:
        # Has the attributes, so that only the type is wrong.
        return type("Answer", (), {"object_ids": masks.object_ids, "masks": masks.masks})()


class SortedIds(Answers):
    def bend(self, masks: Masks) -> Any:
        order = masks.object_ids.argsort()
        return Masks(masks.object_ids[order], masks.masks[order])


class ShortIds(Answers):
    def bend(self, masks: Masks) -> Any:
        return Masks(masks.object_ids.int(), masks.masks)


class DropsAtTheBorder(Answers):
    def bend(self, masks: Masks) -> Any:
        seen = ~masks.masks[:, :, 0].any(1)
        return Masks(masks.object_ids[seen], masks.masks[seen])


class FillsFromTheBorder(Answers):
    def bend(self, masks: Masks) -> Any:
        lost = masks.masks[:, :, 0].any(1)
        return Masks(masks.object_ids, masks.masks | lost[:, None, None])


class EvenSizes(Answers):
    def bend(self, masks: Masks) -> Any:
        height, width = (side // 2 * 2 for side in masks.masks.shape[1:])
        return Masks(masks.object_ids, masks.masks[:, :height, :width])


class SqueezesPadding(Answers):
    """Pads frames to a multiple of 32, and resizes what comes of them without a crop."""

    @staticmethod
    def squeezed(maps: Tensor) -> Tensor:
        height, width = maps.shape[1:]
        if not len(maps):
            return maps
        padded = F.pad(maps, (0, -width % 32, 0, -height % 32))
        return F.interpolate(padded[None], (height, width))[0]

    def bend(self, masks: Masks) -> Any:
        return Masks(masks.object_ids, self.squeezed(masks.masks.float()) > 0)

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        moved, valid = super().warp(maps, t, to)
        return self.squeezed(moved), valid


class Random(Answers):
    def bend(self, masks: Masks) -> Any:
        return Masks(masks.object_ids, masks.masks ^ (torch.rand(masks.masks.shape) < 1e-4))
