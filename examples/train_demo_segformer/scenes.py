"""The scenes: augmented crops to train on, and held-out ones to score on."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ditta_adapt.demo.scenes import render_scene

# Training scenes start here, so that small seeds stay free for held-out scenes and videos.
FIRST_TRAINING_SEED = 1_000_000
FIRST_HELD_OUT_SEED = 500_000


class SceneStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Augmented crops of fresh scenes, in an order that depends on the seed alone."""

    def __init__(self, seed: int, count: int, size: tuple[int, int], crop: tuple[int, int]) -> None:
        self.seed, self.count, self.size, self.crop = seed, count, size, crop

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(self.count):
            rng = np.random.default_rng([self.seed, index])
            first = FIRST_TRAINING_SEED * (1 + self.seed)
            image, labels = render_scene(first + index, self.size)
            image, labels = augment(image, labels, self.crop, rng)
            yield torch.from_numpy(image), torch.from_numpy(labels)


def augment(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    crop: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Random scale, crop, flip and a mild change of colour."""
    height, width = image.shape[:2]
    least = max(crop[0] / height, crop[1] / width)
    scale = max(least, float(rng.uniform(0.75, 1.4)))
    target = (max(crop[1], round(width * scale)), max(crop[0], round(height * scale)))
    image = np.asarray(cv2.resize(image, target, interpolation=cv2.INTER_LINEAR), np.uint8)
    labels = np.asarray(cv2.resize(labels, target, interpolation=cv2.INTER_NEAREST), np.uint8)
    top = int(rng.integers(target[1] - crop[0] + 1))
    left = int(rng.integers(target[0] - crop[1] + 1))
    image = image[top : top + crop[0], left : left + crop[1]]
    labels = labels[top : top + crop[0], left : left + crop[1]]
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    gain = rng.uniform(0.94, 1.06) * rng.uniform(0.97, 1.03, 3)
    jittered = np.clip(image * gain, 0, 255).astype(np.uint8)
    return jittered, np.ascontiguousarray(labels).astype(np.int64)


def held_out_scenes(
    count: int, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Scenes that no training seed produces."""
    pairs = [render_scene(FIRST_HELD_OUT_SEED + i, size) for i in range(count)]
    return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
