"""A propagator's session on a video that is still coming in."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.errors import PropagationError
from ditta_adapt.teachers.checked_calls import check_masks, propagator_errors
from ditta_adapt.teachers.held_session import HeldSession
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.propagator import (
    AutoMasks,
    FeatureSource,
    MaskGenerator,
    Masks,
    Prompt,
    Propagator,
)


class LiveSession:
    """Follows objects forward, to whatever frame came last; checks what the propagator returns.

    The session is closed by `close`, or when this object is garbage.

    Args:
        propagator: what follows objects, or warps maps, through the video.
        frames: with at least one frame; the session starts on the last one.

    Raises:
        PropagationError: here and in all methods: the propagator raised or broke its contract.
    """

    def __init__(self, propagator: Propagator, frames: LiveFrames) -> None:
        self._held = HeldSession(propagator, frames)
        self._frames = frames
        self._at = len(frames) - 1
        self._ids: list[int] = []

    def prompt(self, prompts: Sequence[Prompt]) -> Masks:
        """Add objects on the last frame; return the masks of all objects there."""
        ids = [*self._ids, *(prompt.object_id for prompt in prompts)]
        with propagator_errors(call := f"prompt({self._at}, ...)"):
            masks = self._held.session.prompt(self._at, prompts)
        self._ids = ids
        return self._checked(masks, call)

    def advance(self) -> Masks:
        """Follow all objects to the frame after the one last reached."""
        t, to = self._at, self._at + 1
        with propagator_errors(call := f"propagate({t}, {to})"):
            masks = self._held.session.propagate(t, to)
        self._at = to
        return self._checked(masks, call)

    @property
    def proposes_masks(self) -> bool:
        """Whether the session is a `MaskGenerator`."""
        return isinstance(self._held.session, MaskGenerator)

    def auto_masks(self, points: Sequence[tuple[int, int]]) -> AutoMasks:
        """Masks around points of the frame last reached; it must be a `MaskGenerator`."""
        session = self._held.session
        assert isinstance(session, MaskGenerator)
        with propagator_errors(call := f"auto_masks({self._at}, ...)"):
            found = session.auto_masks(self._at, points)
        logits, expected = found.logits, found.predicted_iou
        if logits.ndim != 3 or expected.shape != logits.shape[:1]:
            raise PropagationError(
                f"{call} returned logits of shape {tuple(logits.shape)} and predicted_iou of "
                f"{tuple(expected.shape)}; expected (N, h, w) and (N,)."
            )
        return found

    @property
    def shows_features(self) -> bool:
        """Whether the session is a `FeatureSource`."""
        return isinstance(self._held.session, FeatureSource)

    def features(self) -> Float[Tensor, "D h w"]:
        """Image features on the frame last reached; the session must be a `FeatureSource`."""
        session = self._held.session
        assert isinstance(session, FeatureSource)
        with propagator_errors(call := f"features({self._at})"):
            features = session.features(self._at)
        if features.ndim != 3 or not torch.isfinite(features).all():
            raise PropagationError(
                f"{call} returned features of shape {tuple(features.shape)}, or with values that "
                "are not finite; expected finite (D, h, w)."
            )
        return features

    def close(self) -> None:
        """End the session; nothing happens if it has ended."""
        self._held.close()

    def _checked(self, masks: Masks, call: str) -> Masks:
        height, width = self._frames[self._at].shape[:2]
        check_masks(masks, self._ids, (int(height), int(width)), call)
        return masks
