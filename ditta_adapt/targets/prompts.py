"""Which objects the propagator is asked to follow, chosen from the frozen model's predictions."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from ditta_adapt.ops.components import connected_components
from ditta_adapt.teachers.propagator import Prompt


def select_points(
    labels: Integer[Tensor, "H W"],
    reliability: Float[Tensor, "H W"],
    tracked: Bool[Tensor, "N H W"],
    *,
    threshold: float = 0.8,
    dilation: int = 5,
    limit: int = 100,
) -> list[tuple[int, int]]:
    """The most reliable pixel of every predicted class that no tracked mask explains.

    Classes are visited in order of decreasing peak reliability (ties: smaller class first). A
    class is skipped if its peak is under `threshold`, or if the peak pixel lies in or near a
    tracked mask: within `dilation` steps of the 4-neighbour cross.

    Args:
        labels: `(H, W)` integers, predicted classes.
        reliability: `(H, W)` in [0, 1].
        tracked: `(N, H, W)` bool, the masks tracked so far; on the first frame there is none.
        threshold: least peak reliability.
        dilation: L1 distance in pixels, at least 0.
        limit: at most this many points.

    Returns:
        Points `(x, y)`: column, row. Of several equally reliable pixels of a class the first in
        row-major order.

    Source: paper, section on spatio-temporal masks; released program.
    """
    union = tracked.any(dim=0) if len(tracked) else None
    peaks: list[tuple[float, int, int]] = []
    for label in torch.unique(labels).tolist():
        inside = reliability.masked_fill(labels != label, -1.0)
        index = int(inside.argmax())
        peaks.append((float(inside.flatten()[index]), label, index))
    peaks.sort(key=lambda peak: (-peak[0], peak[1]))
    points: list[tuple[int, int]] = []
    for peak, _, index in peaks:
        y, x = divmod(index, labels.shape[1])
        if len(points) >= limit or peak < threshold:
            break
        if union is None or not _near(union, x, y, dilation):
            points.append((x, y))
    return points


def make_prompts(
    labels: Integer[Tensor, "H W"], points: Sequence[tuple[int, int]], first_id: int
) -> list[Prompt]:
    """Number the points from `first_id` and add the model's own region around each.

    Args:
        labels: `(H, W)` integers, predicted classes.
        points: `(x, y)`: column, row.
        first_id: of the first point.

    Returns:
        Prompts whose regions are the 8-connected regions of one label around the points, on the
        CPU.
    """
    numbers = connected_components(labels)
    return [
        Prompt(object_id=first_id + offset, point=(x, y), region=numbers == numbers[y, x])
        for offset, (x, y) in enumerate(points)
    ]


def _near(union: Bool[Tensor, "H W"], x: int, y: int, distance: int) -> bool:
    """Whether a set pixel lies within an L1 distance; equals dilating with a cross that often."""
    top, left = max(y - distance, 0), max(x - distance, 0)
    rows, columns = union[top : y + distance + 1, left : x + distance + 1].nonzero(as_tuple=True)
    steps = (rows + top - y).abs() + (columns + left - x).abs()
    return bool((steps <= distance).any())
