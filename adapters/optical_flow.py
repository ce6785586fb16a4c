"""A teacher that needs no weights: masks moved along dense optical flow."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Frame, InputError, Masks, Prompt, PropagationError
from ditta_adapt.adapters._flow_field import FlowField, import_cv2


class OpticalFlowPropagator:
    """Moves masks, and any per-pixel map, by DIS optical flow with a forward-backward check.

    A pixel looks up where it was in the frame before (backward warping, bilinear). The look-up
    counts only if flowing there and back ends near where it began, within
    `tolerance + 0.1 * |flow|` pixels, and if it stays inside the image. Masks start from the
    prompt's region, not from its point.

    Args:
        max_side: flow is computed on frames scaled down to this length of their longer side.
        tolerance: of the forward-backward check, in pixels at that scale.

    Raises:
        MissingDependencyError: OpenCV is not installed.
        InputError: an argument out of range.
    """

    def __init__(self, *, max_side: int = 512, tolerance: float = 2.0) -> None:
        if max_side < 16 or tolerance < 0:
            raise InputError(
                f"max_side is {max_side} and tolerance {tolerance}; expected at least 16 and 0."
            )
        import_cv2()
        self.max_side = max_side
        self.tolerance = tolerance
        self._fields: weakref.WeakSet[FlowField] = weakref.WeakSet()

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["FlowSession"]:
        """Start a session; sessions open on the same frames share the flow between them."""
        field = next((field for field in self._fields if field.frames is frames), None)
        if field is None:
            field = FlowField(frames, self.max_side, self.tolerance)
            self._fields.add(field)
        session = FlowSession(field)
        del field
        try:
            yield session
        finally:
            session.close()


class FlowSession:
    """One run over one list of frames; offers `DenseWarper` too."""

    def __init__(self, field: "FlowField") -> None:
        self._field: FlowField | None = field
        self._ids: list[int] = []
        self._masks = torch.zeros(0, *field.size, dtype=torch.bool)

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Start new objects from their regions on frame `t`, the frame last reached."""
        self._alive()
        for prompt in prompts:
            if prompt.object_id in self._ids:
                raise PropagationError(f"object {prompt.object_id} was prompted already.")
            self._ids.append(prompt.object_id)
            self._masks = torch.cat([self._masks, prompt.region.cpu().unsqueeze(0)])
        return self._current()

    def propagate(self, t: int, to: int) -> Masks:
        """Move all masks from frame `t` to a neighbour. What fails the check is left out."""
        moved, valid = self.warp(self._masks.float(), t, to)
        self._masks = (moved > 0.5) & valid
        return self._current()

    def warp(
        self, maps: Float[Tensor, "K h w"], t: int, to: int
    ) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
        """Move maps from frame `t` to a neighbour: bilinear, 0 where there is no valid source."""
        height, width = maps.shape[1:]
        grid, valid = self._alive().lookup(t, to, (height, width))
        grid, valid = grid.to(maps), valid.to(maps.device)
        moved = F.grid_sample(maps.unsqueeze(0), grid.unsqueeze(0), align_corners=True)[0]
        return moved * valid, valid

    def close(self) -> None:
        """Free the flow; a closed session refuses to go on."""
        self._field = None
        self._masks = self._masks[:0]

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._ids, dtype=torch.int64), self._masks.clone())

    def _alive(self) -> "FlowField":
        if self._field is None:
            raise PropagationError("the session is closed; open a new one.")
        return self._field
