"""What every check of a propagator starts from."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.checked_calls import check_masks
from ditta_adapt.teachers.propagator import Prompt
from ditta_adapt.testing.rule import require
from ditta_adapt.testing.shapes_video import ShapesVideo, shapes_video


@dataclass(frozen=True, slots=True)
class PropagatorCase:
    """A way to build the propagator, and a video with truth to show it."""

    factory: Callable[[], Any]
    video: ShapesVideo

    @classmethod
    def create(cls, factory: Callable[[], Any]) -> "PropagatorCase":
        """A case on the generated video.

        Raises:
            InputError: `factory` cannot be called.
        """
        if not callable(factory):
            raise InputError(
                f"factory is a {type(factory).__name__}; expected a function without arguments "
                "that returns a fresh propagator, such as lambda: MyPropagator()."
            )
        return cls(factory, shapes_video())

    @property
    def last(self) -> int:
        """Index of the last frame."""
        return len(self.video.frames) - 1

    def frames(self) -> list[Frame]:
        """The video's frames, copied, so that no check is harmed by what another wrote there."""
        return [frame.copy() for frame in self.video.frames]

    def open(
        self, propagator: Any = None, frames: Sequence[Frame] | None = None
    ) -> AbstractContextManager[Any]:
        """A session, of a fresh propagator and on the video unless told otherwise."""
        propagator = self.factory() if propagator is None else propagator
        opened: AbstractContextManager[Any] = propagator.open(
            self.frames() if frames is None else frames
        )
        return opened

    def prompt(self, shape: int, t: int, object_id: int) -> Prompt:
        """A prompt on one of the video's shapes: its true region, and a point inside it."""
        return Prompt.on(self.video.truth[t, shape], object_id)


def follow(
    session: Any,
    frames: Sequence[Frame],
    order: Sequence[int],
    prompts: Mapping[int, Sequence[Prompt]],
) -> dict[int, Tensor]:
    """Go through frames in order, prompting where told to.

    Returns:
        By frame, the masks of all objects so far `(N, H, W)` bool on the CPU, in prompting order.

    Raises:
        PropagationError: what the session returned breaks its contract.
    """
    ids: list[int] = []
    tracks: dict[int, Tensor] = {}
    for step, t in enumerate(order):
        height, width = frames[t].shape[:2]
        size = (int(height), int(width))
        masks = None
        if ids:
            masks = session.propagate(order[step - 1], t)
            check_masks(masks, ids, size, f"propagate({order[step - 1]}, {t})")
        if t in prompts:
            ids += [prompt.object_id for prompt in prompts[t]]
            masks = session.prompt(t, prompts[t])
            check_masks(masks, ids, size, f"prompt({t}, ...)")
        if masks is not None:
            tracks[t] = masks.masks.cpu().clone()
    return tracks


def iou(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two masks; 1 for two empty ones."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def require_same_tracks(
    found: Mapping[int, Tensor], expected: Mapping[int, Tensor], what: str
) -> None:
    """Fail unless two runs gave the same masks, pixel for pixel."""
    for t in expected:
        differ = int((found[t] != expected[t]).sum())
        require(differ == 0, f"{what}: {differ} pixels differ in frame {t}.")
