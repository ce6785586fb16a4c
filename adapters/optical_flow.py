"""A teacher that needs no weights: masks carried along dense optical flow."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Frame, InputError, Masks, MissingDependencyError, Prompt, PropagationError


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
        _cv2()
        self.max_side = max_side
        self.tolerance = tolerance
        self._fields: weakref.WeakSet[_FlowField] = weakref.WeakSet()

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["FlowSession"]:
        """Start a session; sessions open on the same frames share the flow between them."""
        field = next((field for field in self._fields if field.frames is frames), None)
        if field is None:
            field = _FlowField(frames, self.max_side, self.tolerance)
            self._fields.add(field)
        session = FlowSession(field)
        del field
        try:
            yield session
        finally:
            session.close()


class FlowSession:
    """One run over one list of frames; offers `DenseTransport` too."""

    def __init__(self, field: "_FlowField") -> None:
        self._field: _FlowField | None = field
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
        moved, valid = self.carry(self._masks.float(), t, to)
        self._masks = (moved > 0.5) & valid
        return self._current()

    def carry(
        self, maps: Float[Tensor, "K H W"], t: int, to: int
    ) -> tuple[Float[Tensor, "K H W"], Bool[Tensor, "H W"]]:
        """Move maps from frame `t` to a neighbour: bilinear, 0 where there is no valid source."""
        grid, valid = self._alive().lookup(t, to)
        grid, valid = grid.to(maps), valid.to(maps.device)
        moved = F.grid_sample(maps.unsqueeze(0), grid.unsqueeze(0), align_corners=True)[0]
        return moved * valid, valid

    def close(self) -> None:
        """Free the flow; a closed session refuses to go on."""
        self._field = None
        self._masks = self._masks[:0]

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._ids, dtype=torch.int64), self._masks.clone())

    def _alive(self) -> "_FlowField":
        if self._field is None:
            raise PropagationError("the session is closed; open a new one.")
        return self._field


class _FlowField:
    """Flow between neighbouring frames, computed once a pair and direction."""

    def __init__(self, frames: Sequence[Frame], max_side: int, tolerance: float) -> None:
        self.frames = frames
        self.size: tuple[int, int] = (int(frames[0].shape[0]), int(frames[0].shape[1]))
        self._tolerance = tolerance
        scale = min(1.0, max_side / max(self.size))
        # DIS needs a few pixels for its coarsest patches.
        self._small = tuple(max(16, round(side * scale)) for side in self.size)
        self._dis = _cv2().DISOpticalFlow_create(_cv2().DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flows: dict[tuple[int, int], np.ndarray] = {}

    def lookup(self, t: int, to: int) -> tuple[Float[Tensor, "H W 2"], Bool[Tensor, "H W"]]:
        """Where each pixel of frame `to` was in frame `t`, in [-1, 1], and whether to trust it."""
        for index in (t, to):
            if not 0 <= index < len(self.frames) or abs(t - to) != 1:
                raise PropagationError(
                    f"cannot go from frame {t} to {to} of {len(self.frames)}; expected neighbours."
                )
        height, width = self._small
        back, forth = self._flow(to, t), self._flow(t, to)
        ys, xs = torch.meshgrid(
            torch.arange(height, dtype=torch.float32),
            torch.arange(width, dtype=torch.float32),
            indexing="ij",
        )
        landing = torch.stack([xs + back[0], ys + back[1]], dim=-1)
        extent = torch.tensor([width - 1, height - 1], dtype=torch.float32)
        grid = 2 * landing / extent - 1
        returned = F.grid_sample(forth[None], grid[None], align_corners=True)[0]
        error = (back + returned).norm(dim=0)
        valid = error <= self._tolerance + 0.1 * back.norm(dim=0)
        valid &= ((landing >= 0) & (landing <= extent)).all(dim=-1)
        return self._to_frame_size(grid, valid)

    def _to_frame_size(
        self, grid: Float[Tensor, "h w 2"], valid: Bool[Tensor, "h w"]
    ) -> tuple[Float[Tensor, "H W 2"], Bool[Tensor, "H W"]]:
        if tuple(self._small) == self.size:
            return grid, valid
        planes = torch.cat([grid.permute(2, 0, 1), valid[None].float()])
        # Corners map to corners in the normalised grid, so aligned corners keep zero flow at zero.
        planes = F.interpolate(planes[None], self.size, mode="bilinear", align_corners=True)[0]
        return planes[:2].permute(1, 2, 0), planes[2] > 0.5

    def _flow(self, start: int, end: int) -> Float[Tensor, "2 h w"]:
        if (start, end) not in self._flows:
            flow = self._dis.calc(self._grey(start), self._grey(end), None)
            # Half precision is exact to 1/16 pixel for motions under 128 pixels.
            self._flows[start, end] = flow.astype(np.float16)
        return torch.from_numpy(self._flows[start, end].astype(np.float32)).permute(2, 0, 1)

    def _grey(self, index: int) -> np.ndarray:
        frame = self.frames[index]
        image = np.ascontiguousarray(frame.cpu().numpy() if isinstance(frame, Tensor) else frame)
        height, width = self._small
        cv2 = _cv2()
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        grey: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError.for_extra("OpenCV", "flow") from error
    return cv2
