"""Connected components of a label map, and how sure the image model is of each."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Component:
    """One 8-connected region of a single predicted class.

    Attributes:
        number: of the component in the map of `connected_components`.
        label: its class.
        area: in pixels.
        score: the largest confidence in it.
        peak: `(x, y)` of that pixel, the first in row-major order.
    """

    number: int
    label: int
    area: int
    score: float
    peak: tuple[int, int]


def connected_components(labels: Integer[Tensor, "H W"]) -> Int64[Tensor, "H W"]:
    """Number the 8-connected regions of equal labels, from 0, in row-major order of first pixels.

    Rows are split into runs of equal labels; runs of one label that touch between neighbouring
    rows, diagonals included, are joined until nothing changes.

    Args:
        labels: `(H, W)` integers.

    Returns:
        `(H, W)` int64 on the CPU.
    """
    image = labels.cpu().numpy()
    height, width = image.shape
    begins = np.ones((height, width), dtype=bool)
    begins[:, 1:] = image[:, 1:] != image[:, :-1]
    run_of = begins.cumsum().reshape(height, width) - 1
    pairs = _touching(image, run_of)
    root = np.arange(run_of[-1, -1] + 1)
    while True:
        # Of two joined trees the smaller root wins, so roots are the first runs of components.
        first, second = root[pairs[0]], root[pairs[1]]
        if (first == second).all():
            break
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while (shorter := root[root]).tobytes() != root.tobytes():
            root = shorter
    numbers = np.unique(root, return_inverse=True)[1]
    return torch.from_numpy(numbers[run_of].astype(np.int64))


def find_components(
    labels: Integer[Tensor, "H W"],
    confidence: Float[Tensor, "H W"],
    numbers: Int64[Tensor, "H W"],
    *,
    min_share: float = 0.0005,
) -> list[Component]:
    """The components of at least a share of the image, weakest first.

    A component `k` of area `|k|` is kept if and only if `|k| / (H W) >= min_share`; its score is
    its largest confidence. Sorted by score; of equal scores the larger area comes first; of equal
    areas the one with the smaller number. Painted in this order, the best one is on top.

    Args:
        labels: `(H, W)` integers, predicted classes.
        confidence: `(H, W)` float, such as the largest class probability.
        numbers: of `connected_components(labels)`.
        min_share: least share of the image, in [0, 1].

    Source: "zero-shot SAM2" of DiTTA's comparison; the order of painting is a choice.
    """
    flat, sure = numbers.flatten(), confidence.flatten().cpu()
    areas = torch.bincount(flat)
    scores = sure.new_full(areas.shape, -torch.inf).scatter_reduce_(0, flat, sure, "amax")
    is_peak = (sure == scores[flat]).nonzero()[:, 0]
    peaks = torch.full_like(areas, flat.numel()).scatter_reduce_(0, flat[is_peak], is_peak, "amin")
    least = min_share * flat.numel()
    found = []
    for number in (areas >= least).nonzero()[:, 0].tolist():
        y, x = divmod(int(peaks[number]), labels.shape[1])
        area, score = int(areas[number]), float(scores[number])
        found.append(Component(number, int(labels[y, x]), area, score, (x, y)))
    return sorted(found, key=lambda component: (component.score, -component.area))


def _touching(image: np.ndarray, run_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs of one label in neighbouring rows that share a side or a corner."""
    above, below = [], []
    for shift in (-1, 0, 1):
        width = image.shape[1]
        here = slice(max(-shift, 0), width - max(shift, 0))
        there = slice(max(shift, 0), width - max(-shift, 0))
        same = image[:-1, here] == image[1:, there]
        above.append(run_of[:-1, here][same])
        below.append(run_of[1:, there][same])
    return np.concatenate(above), np.concatenate(below)
