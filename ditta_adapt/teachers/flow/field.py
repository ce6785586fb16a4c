"""Dense optical flow between neighbouring frames of a video, computed once a pair."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.flow.beside import beside
from ditta_adapt.teachers.flow.estimator import FlowEstimator
from ditta_adapt.teachers.flow.lookup import lookup
from ditta_adapt.teachers.shared_video import SharedVideo


class FlowField(SharedVideo):
    """Flow between neighbouring frames, kept for as long as both frames are.

    In a live video these are the last two.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        estimator_for: who finds flow for maps on a device.
        max_side: of the frames that flow is computed on.
        tolerance: of the forward-backward check, in pixels of these.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        estimator_for: Callable[[torch.device], FlowEstimator],
        max_side: int,
        tolerance: float,
    ) -> None:
        super().__init__(frames)
        self._estimator_for, self._tolerance = estimator_for, tolerance
        scale = min(1.0, max_side / max(self.size))
        # The coarsest patches need a few pixels.
        self._small = (
            max(16, round(self.size[0] * scale)),
            max(16, round(self.size[1] * scale)),
        )
        self._estimator: FlowEstimator | None = None
        self._device: torch.device | None = None
        self._prepared: dict[int, Any] = {}
        self._flows: dict[tuple[int, int], Tensor | Future[Tensor]] = {}

    def expect(self, t: int, to: int) -> None:
        """Begin to look for the flow between two neighbours, beside what the caller does next.

        Nothing happens before the first `lookup`, which says where maps are. On a GPU the work is
        queued; on a CPU a thread does it.
        """
        pair = (min(t, to), max(t, to))
        if self._estimator is None or self._device is None or pair in self._flows:
            return
        wait([unread for unread in self._flows.values() if isinstance(unread, Future)])
        self._forget()
        if self._device.type == "cpu":
            self._flows[pair] = beside(lambda: self._compute(*pair))
        else:
            self._flows[pair] = self._compute(*pair)

    def lookup(
        self, t: int, to: int, size: tuple[int, int], device: torch.device
    ) -> tuple[Float[Tensor, "h w 2"], Bool[Tensor, "h w"]]:
        """Where each cell of frame `to` was in its neighbour `t`, and whether to trust it.

        Args:
            t: where maps are.
            to: where they go.
            size: `(h, w)` of a grid of cells over the whole frame.
            device: of the maps.

        Returns:
            Places `(x, y)` in [-1, 1] on frame `t`, and which of them pass the check.
        """
        if device != self._device:
            self._estimator, self._device = self._estimator_for(device), device
            self._prepared, self._flows = {}, {}
        both = self._flow(min(t, to), max(t, to)).to(device).float()
        later, sooner = both.unbind()
        back, forth = (later, sooner) if t > to else (sooner, later)
        # The grid of the flow may be finer or coarser than that of the small frames.
        scale = both.shape[3] / self._small[1]
        return lookup(back, forth, size, tolerance=self._tolerance * scale)

    def _flow(self, first: int, second: int) -> Float[Tensor, "2 2 h w"]:
        """From the earlier frame to the later, and back."""
        known = self._flows.get((first, second))
        if known is None:
            self._forget()
            known = self._compute(first, second)
        elif isinstance(known, Future):
            known = known.result()
        self._flows[first, second] = known
        return known

    def _compute(self, first: int, second: int) -> Float[Tensor, "2 2 h w"]:
        estimator = self._estimator
        assert estimator is not None
        for t in (first, second):
            if t not in self._prepared:
                frame = self.frame(t)
                if self._device is not None and self._device.type != "cpu":
                    frame = frame.to(self._device)
                self._prepared[t] = estimator.prepare(frame, self._small)
        # Half precision is exact to 1/16 pixel for motions under 128 pixels.
        return estimator.flow(self._prepared[first], self._prepared[second]).half()

    def _forget(self) -> None:
        oldest = self.oldest
        self._flows = {pair: kept for pair, kept in self._flows.items() if min(pair) >= oldest}
        # Of a whole video the next pair needs one of these two again.
        recent = sorted(self._prepared)[-2:]
        self._prepared = {t: self._prepared[t] for t in recent if t >= oldest}
