"""Masks of everything in sight, found anew in each window of frames and followed through it."""

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ditta_adapt.baselines.painting import distinct_masks
from ditta_adapt.ops.components import connected_components
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.live_session import LiveSession
from ditta_adapt.teachers.propagator import Masks, Prompt, Propagator


class Masklets:
    """Objects of a video that is still coming in: prompted on a grid, without classes.

    On the first frame of every window (frames 0, `window`, twice `window` and so on) a grid of
    points is prompted, each with the image model's component around it as its region. Empty masks
    and near duplicates are dropped (`distinct_masks`), and what is left is prompted in a new
    session and followed to the end of the window. Windows share no frame.

    Args:
        propagator: what follows objects, or warps maps, through the video.
        points_per_side: of the grid.
        window: length of a window in frames.
    """

    def __init__(self, propagator: Propagator, *, points_per_side: int, window: int) -> None:
        self._propagator = propagator
        self._points_per_side = points_per_side
        self._window = window
        self._frames = LiveFrames()
        self.session: LiveSession | None = None

    @property
    def at_start(self) -> bool:
        """Whether the frame last seen is the first of its window."""
        return len(self._frames) == 1

    def follow(self, frame: UInt8[Tensor, "3 H W"], labels: Integer[Tensor, "H W"]) -> Masks:
        """Masks on the next frame.

        Args:
            frame: kept until the next one; the caller must not write to it.
            labels: predicted by the image model.

        Raises:
            PropagationError: the propagator raised or broke its contract.
        """
        if len(self._frames) in (0, self._window):
            self.close()
            self._frames = LiveFrames()
            self._frames.append(frame.permute(1, 2, 0))
            return self._find(labels)
        self._frames.append(frame.permute(1, 2, 0))
        if self.session is None:
            return _no_masks(labels)
        return self.session.advance()

    def close(self) -> None:
        """End the propagator's session."""
        if self.session is not None:
            self.session.close()
        self.session = None

    def _find(self, labels: Integer[Tensor, "H W"]) -> Masks:
        prompts = grid_prompts(labels, self._points_per_side)
        scout = LiveSession(self._propagator, self._frames)
        try:
            kept = distinct_masks(scout.prompt(prompts).masks)
            if not kept:
                return _no_masks(labels)
            # While the scout is open, so that the two can share image features.
            self.session = LiveSession(self._propagator, self._frames)
            return self.session.prompt([prompts[index] for index in kept])
        finally:
            scout.close()


def grid_prompts(labels: Integer[Tensor, "H W"], points_per_side: int) -> list[Prompt]:
    """A prompt in the middle of every cell of a square grid over the frame, in row-major order.

    The point of cell `i` of `n` along a side of length `L` is `floor((i + 1/2) L / n)`; the region
    is the connected component of `labels` around it. Cells of less than a pixel share points,
    each of which is prompted once. Ids count from 1.

    Args:
        labels: `(H, W)` integers.
        points_per_side: `n`, at least 1.
    """
    height, width = labels.shape
    n = points_per_side
    rows, columns = (
        sorted({(2 * i + 1) * side // (2 * n) for i in range(n)}) for side in (height, width)
    )
    numbers = connected_components(labels)
    # Points in one component share its region.
    regions: dict[int, Tensor] = {}
    prompts: list[Prompt] = []
    for y in rows:
        for x in columns:
            number = int(numbers[y, x])
            if number not in regions:
                regions[number] = numbers == number
            prompts.append(Prompt(len(prompts) + 1, (x, y), regions[number]))
    return prompts


def _no_masks(labels: Tensor) -> Masks:
    empty = torch.zeros(0, *labels.shape, dtype=torch.bool, device="cpu")
    return Masks(torch.zeros(0, dtype=torch.int64, device="cpu"), empty)
