"""The propagator protocol: something that follows masks through a video."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.models.segmenter import Segmenter


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where one new object starts; a propagator takes whichever form it is made for.

    Attributes:
        object_id: positive, unique within a session.
        point: `(x, y)` in pixels: column, row.
        region: `(H, W)` bool, the image model's own region around the point.
    """

    object_id: int
    point: tuple[int, int]
    region: Bool[Tensor, "H W"]

    @classmethod
    def on(cls, region: Bool[Tensor, "H W"], object_id: int) -> "Prompt":
        """A prompt whose point is the pixel of the region, of one at least, nearest its centre."""
        pixels = region.nonzero().double()
        y, x = pixels[(pixels - pixels.mean(0)).square().sum(1).argmin()].long().tolist()
        return cls(object_id, (x, y), region.clone())


@dataclass(frozen=True, slots=True)
class Masks:
    """The objects a propagator sees in one frame, at the frame's own size.

    Attributes:
        object_ids: `(N,)` int64, in the order in which the objects were prompted.
        masks: `(N, H, W)` bool; an object that is not visible has an empty mask.
        scores: `(N, H, W)` floating point in [0, 1], or none: how sure the propagator is that an
            object covers a pixel. A propagator that gives none is sure of its masks.
    """

    object_ids: Int64[Tensor, " N"]
    masks: Bool[Tensor, "N H W"]
    scores: Float[Tensor, "N H W"] | None = None


@runtime_checkable
class PropagationSession(Protocol):
    """One run of a propagator over one list of frames."""

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Add new objects on frame `t`, the frame last reached; return all masks on `t`."""
        ...

    def propagate(self, t: int, to: int) -> Masks:
        """Follow all objects from frame `t` to the neighbour `to = t + 1` or `t - 1`."""
        ...


@runtime_checkable
class Propagator(Protocol):
    """A propagator: SAM2, optical flow, matching, or anything that tracks masks.

    The sequence of frames may grow while a session is open on it, as `LiveFrames` does, which also
    forgets old frames. So a session asks for the number of frames at every step, reads a frame
    only when it goes to it or comes from it, and keeps nothing for frames that are forgotten.
    Masks are the same whether frames came one at a time or were there from the start.
    """

    def open(self, frames: Sequence[Frame]) -> AbstractContextManager[PropagationSession]:
        """Start a session on `(H, W, 3)` uint8 RGB frames of one size.

        Sessions share no objects and no masks. What depends on the frames alone, such as image
        features or flow, they may share, exactly while they are open on the same sequence object:
        by identity, so that a copy of the sequence, equal as it is, is another video. When the
        last of these sessions is closed, what they shared is freed, and the next one starts anew.
        Who opens two sessions on one video (such as forward and backward) passes both the same
        object, opens the second before closing the first, and pays for the frames once.

        `BasePropagator` keeps this contract for its subclasses.
        """
        ...


@dataclass(frozen=True, slots=True)
class AutoMasks:
    """Masks that a propagator found in a frame by itself, before any is left out.

    Attributes:
        logits: `(N, h, w)` on a grid over the whole frame; a mask is where they are above 0.
        predicted_iou: `(N,)`, what the propagator expects of each, from 0 to 1.
    """

    logits: Float[Tensor, "N h w"]
    predicted_iou: Float[Tensor, " N"]


@runtime_checkable
class TakesFeatures(Protocol):
    """Optional for a propagator: it can work with the features of an image model."""

    def bind(self, segmenter: Segmenter) -> None:
        """Work with the frozen encoder of this segmenter, in sessions that are opened from now on.

        `wrap` calls it, and whoever has a propagator and a segmenter. One that was given other
        features keeps these.
        """
        ...


@runtime_checkable
class DenseWarper(Protocol):
    """Optional for a session: it can warp any per-pixel map from frame to frame."""

    def warp(
        self, maps: Float[Tensor, "K h w"], t: int, to: int
    ) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
        """Move `maps` on frame `t` to frame `to`; also say which cells have a valid source.

        The maps are on any grid over the whole frame, often much coarser than its pixels, and come
        back on the same grid.
        """
        ...


@runtime_checkable
class FeatureSource(Protocol):
    """Optional for a session: it shows the image features the propagator works with."""

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Float features of frame `t`, the frame last reached, on a grid over the whole frame."""
        ...


@runtime_checkable
class MaskGenerator(Protocol):
    """Optional for a session: it proposes masks around points, and says how good they are."""

    def auto_masks(self, t: int, points: Sequence[tuple[int, int]]) -> AutoMasks:
        """Masks around points `(x, y)` of frame `t`, several a point if a point may mean several.

        Nothing is followed by that.
        """
        ...
