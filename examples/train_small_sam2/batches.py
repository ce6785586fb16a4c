"""Batches of clips with prompts, in an order that depends on the seed alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ditta_adapt.models import IMAGENET_MEAN, IMAGENET_STD
from examples.train_small_sam2.clips import make_clip
from examples.train_small_sam2.tracking import Prompts

# Share of clips in which an object goes away: in about a tenth of its frames it is out of sight.
_ABSENT = 0.5
# Pixels: what is smaller is less than a cell of the coarsest features.
_SMALLEST = 16**2
_OBJECTS = 3
# To draw a clip takes more than half as long as to learn from it: each is used four times, varied,
# with other objects and prompts, and other clips in between.
_USES, _APART = 4, 24


Clip = tuple[np.ndarray, np.ndarray]
"""Frames `(T, S, S, 3)` uint8 and object ids `(T, S, S)` uint8, 0 where there is none."""


@dataclass(frozen=True)
class Batch:
    """Clips, their objects, and what is shown of them.

    Attributes:
        frames: `(B, T, S, S, 3)` uint8.
        truth: `(N, T, S, S)` bool.
        prompts: of the N objects.
    """

    frames: Tensor
    truth: Tensor
    prompts: Prompts

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        prompts = Prompts(**{k: v.to(device) for k, v in vars(self.prompts).items()})
        return Batch(self.frames.to(device), self.truth.to(device), prompts)

    @property
    def images(self) -> Tensor:
        """`(B, T, 3, S, S)` float, normalised as SAM2's."""
        return normalise(self.frames)


@dataclass(frozen=True)
class Stage:
    """One part of the training: what clips, how many, and how much is told.

    Attributes:
        steps: optimiser steps.
        side: input size in pixels.
        frames: frames a clip.
        clips: clips a step.
        clicks: share of the objects that are shown by a point instead of a mask, and what an
            answer to a point counts beside one later in the clip.
        forcing: probability that a memory is made of the true mask.
        balance: see `frame_loss`.
        pace: most steps of the motion between two frames, see `make_clip`.
        forget: probability that a frame is seen in the light of the first memory alone.
    """

    steps: int
    side: int
    frames: int
    clips: int
    clicks: float
    forcing: float
    balance: float
    pace: int = 1
    forget: float = 0.0

    def scaled(self, share: float) -> "Stage":
        """The same with a share of the steps, at least one."""
        return replace(self, steps=max(round(self.steps * share), 1))


def collate(clips: Sequence[Clip], rng: np.random.Generator, clicks: float = 0.5) -> Batch:
    """Turn clips into a batch: a few objects of each, a share of them clicked."""
    owners, truth, points = [], [], []
    for index, (_, ids) in enumerate(clips):
        pixels = np.bincount(ids[0].ravel(), minlength=2)[1:]
        known = np.flatnonzero(pixels >= min(_SMALLEST, pixels.max())) + 1
        for number in rng.permutation(known)[:_OBJECTS]:
            mask = ids == number
            owners.append(index)
            truth.append(torch.from_numpy(mask))
            points.append(_point(mask[0], rng))
    frames = torch.from_numpy(np.stack([frames for frames, _ in clips]))
    masks = torch.stack(truth)
    prompts = Prompts(
        owner=torch.tensor(owners),
        masks=masks[:, 0].float(),
        points=torch.tensor(points, dtype=torch.float32),
        clicked=torch.from_numpy(rng.random(len(owners)) < clicks),
    )
    return Batch(frames, masks, prompts)


def normalise(frames: Tensor) -> Tensor:
    """uint8 `(..., S, S, 3)` to normalised float `(..., 3, S, S)`."""
    mean, std = (
        torch.tensor(values, device=frames.device) for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((frames.float() / 255 - mean) / std).movedim(-1, -3).contiguous()


def deepest_point(mask: np.ndarray) -> tuple[float, float]:
    """The pixel (x, y) farthest from the outline of a mask `(H, W)`."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return float(x), float(y)


def _point(mask: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """A click: in half of the cases the deepest point, else any pixel that is not on the rim."""
    if rng.random() < 0.5:
        return deepest_point(mask)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    rows, columns = np.nonzero(inner if inner.any() else mask)
    chosen = rng.integers(len(rows))
    return float(columns[chosen]), float(rows[chosen])


class _Batches(IterableDataset[Batch]):
    def __init__(
        self, stage: Stage, seed: Sequence[int], steps: range, cutouts: Sequence[Path]
    ) -> None:
        self.stage, self.seed, self.steps, self.cutouts = stage, seed, steps, cutouts

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(0)
        worker = torch.utils.data.get_worker_info()
        share = self.steps if worker is None else self.steps[worker.id :: worker.num_workers]
        kept: dict[tuple[int, int], tuple[int, Clip]] = {}
        for step in share:
            rng = np.random.default_rng([*self.seed, step])
            clips = []
            for index in range(self.stage.clips):
                born, place = _birth(step, index), (step % _APART, index)
                if place not in kept or kept[place][0] != born:
                    kept[place] = (born, self._clip(born, index))
                clips.append(varied(*kept[place][1], rng))
            yield collate(clips, rng, self.stage.clicks)

    def _clip(self, born: int, index: int) -> Clip:
        stage = self.stage
        return make_clip(
            [*self.seed, born, index],
            num_frames=stage.frames,
            size=stage.side,
            absent=_ABSENT,
            pace=stage.pace,
            cutouts=self.cutouts,
        )


def _birth(step: int, index: int) -> int:
    """A number of the clip at a place of a step's batch; the next steps that use it share it."""
    turn = step // _APART
    return ((turn + index) // _USES * _USES - index + _USES) * _APART + step % _APART


def varied(frames: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> Clip:
    """A clip with its colours swapped and, in half of the cases, seen in a mirror."""
    frames = frames[..., rng.permutation(3)]
    if rng.random() < 0.5:
        frames, ids = frames[:, :, ::-1], ids[:, :, ::-1]
    return np.ascontiguousarray(frames), np.ascontiguousarray(ids)


def batches(
    stage: Stage,
    seed: Sequence[int],
    steps: range,
    workers: int,
    cutouts: Sequence[Path] = (),
) -> Iterator[Batch]:
    """The batches of some steps of a stage; worker processes do not change them."""
    data = _Batches(stage, seed, steps, cutouts)
    prefetch = 4 if workers else None
    return iter(DataLoader(data, batch_size=None, num_workers=workers, prefetch_factor=prefetch))
