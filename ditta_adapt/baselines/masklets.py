"""Masks of everything in sight, found anew in each window of frames and followed through it."""

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ditta_adapt.baselines.automatic_masks import MaskThresholds, kept_masks
from ditta_adapt.baselines.painting import distinct_masks
from ditta_adapt.ops.components import connected_components
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.live_session import LiveSession
from ditta_adapt.teachers.propagator import Masks, Prompt, Propagator


class Masklets:
    """Objects of a video that is still coming in: prompted on a grid, without classes.

    On the first frame of every window (frames 0, `window`, twice `window` and so on) a grid of
    points is prompted. A propagator whose sessions propose masks (`MaskGenerator`) is asked for
    those around the points, and what reaches the thresholds is prompted by its mask. Any other
    gets each point with the image model's component around it as its region; empty masks and near
    duplicates are dropped (`distinct_masks`), and what is left is prompted in a new session. All
    are followed to the end of the window. Windows share no frame.

    Args:
        propagator: what follows objects, or warps maps, through the video.
        points_per_side: of the grid.
        window: length of a window in frames.
        thresholds: of proposed masks.
    """

    def __init__(
        self,
        propagator: Propagator,
        *,
        points_per_side: int,
        window: int,
        thresholds: MaskThresholds | None = None,
    ) -> None:
        self._propagator = propagator
        self._points_per_side = points_per_side
        self._window = window
        self._thresholds = thresholds or MaskThresholds()
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
        scout = LiveSession(self._propagator, self._frames)
        try:
            prompts = self._proposed(scout, labels) if scout.proposes_masks else None
            if prompts is None:
                prompts = grid_prompts(labels, self._points_per_side)
                kept = distinct_masks(scout.prompt(prompts).masks)
                prompts = [prompts[index] for index in kept]
            if not prompts:
                return _no_masks(labels)
            # While the scout is open, so that the two can share image features.
            self.session = LiveSession(self._propagator, self._frames)
            return self.session.prompt(prompts)
        finally:
            scout.close()

    def _proposed(self, scout: LiveSession, labels: Integer[Tensor, "H W"]) -> list[Prompt]:
        size = labels.shape[0], labels.shape[1]
        found = scout.auto_masks(grid_points(size, self._points_per_side))
        masks = kept_masks(found, size, self._thresholds)
        return [Prompt.on(mask, number) for number, mask in enumerate(masks, start=1)]


def grid_points(size: tuple[int, int], points_per_side: int) -> list[tuple[int, int]]:
    """The middle `(x, y)` of every cell of a square grid over a frame, in row-major order.

    That of cell `i` of `n` along a side of length `L` is `floor((i + 1/2) L / n)`. Cells of less
    than a pixel share points, each of which is there once.

    Args:
        size: `(H, W)` of the frame.
        points_per_side: `n`, at least 1.
    """
    n = points_per_side
    rows, columns = (sorted({(2 * i + 1) * side // (2 * n) for i in range(n)}) for side in size)
    return [(x, y) for y in rows for x in columns]


def grid_prompts(labels: Integer[Tensor, "H W"], points_per_side: int) -> list[Prompt]:
    """A prompt at each of the `grid_points`; ids count from 1.

    Its region is the connected component of `labels` around it.

    Args:
        labels: `(H, W)` integers.
        points_per_side: `n`, at least 1.
    """
    numbers = connected_components(labels)
    # Points in one component share its region.
    regions: dict[int, Tensor] = {}
    prompts: list[Prompt] = []
    for x, y in grid_points((labels.shape[0], labels.shape[1]), points_per_side):
        number = int(numbers[y, x])
        if number not in regions:
            regions[number] = numbers == number
        prompts.append(Prompt(len(prompts) + 1, (x, y), regions[number]))
    return prompts


def _no_masks(labels: Tensor) -> Masks:
    empty = torch.zeros(0, *labels.shape, dtype=torch.bool, device="cpu")
    return Masks(torch.zeros(0, dtype=torch.int64, device="cpu"), empty)
