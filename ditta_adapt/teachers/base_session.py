"""A session that checks how it is called, so that a propagator need only start and follow."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from ditta_adapt.errors import InputError, PropagationError
from ditta_adapt.teachers.propagator import Masks, Prompt
from ditta_adapt.teachers.shared_video import SharedVideo

V = TypeVar("V", bound=SharedVideo)


class BaseSession(ABC, Generic[V]):
    """A `PropagationSession` that refuses calls out of order, and changes nothing where it does.

    A subclass says how objects start (`_start`) and how all of them go to the next frame
    (`_follow`). Methods it adds get the video from `_video_on` or `_video_between`, which check
    their arguments. If it holds more than the masks, it frees that in `close`.

    Args:
        video: what sessions on the same frames share.
    """

    def __init__(self, video: V) -> None:
        self._video: V | None = video
        video.sessions += 1
        self._ids: list[int] = []
        self._masks = torch.zeros(0, *video.size, dtype=torch.bool, device="cpu")
        self._reached = 0

    @abstractmethod
    def _start(self, video: V, t: int, prompts: Sequence[Prompt]) -> Bool[Tensor, "N H W"]:
        """Start new objects, at least one, on frame `t`; their masks there, on the CPU."""

    @abstractmethod
    def _follow(self, video: V, t: int, to: int) -> Bool[Tensor, "N H W"]:
        """Follow all objects, at least one, to a neighbouring frame; masks there, on the CPU."""

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Start new objects on frame `t`, the frame last reached; the masks of all objects there.

        Raises:
            PropagationError: closed, no such frame or not that last reached, an id twice.
            InputError: a point outside the frame.
        """
        video = self._video_on(t)
        self._check_new(video, prompts)
        if prompts:
            started = self._start(video, t, prompts)
            self._masks = torch.cat([self._masks, started])
            self._ids += [prompt.object_id for prompt in prompts]
            self._reached = t
        return self._current()

    def propagate(self, t: int, to: int) -> Masks:
        """Follow all objects to a neighbouring frame; one that is out of sight has no pixel.

        Raises:
            PropagationError: closed, no such frames, no neighbours, or `t` is not the frame last
                reached.
        """
        video = self._video_between(t, to)
        self._video_on(t)
        if self._ids:
            self._masks = self._follow(video, t, to)
            self._reached = to
        return self._current()

    def close(self) -> None:
        """Free everything; a closed session refuses to go on."""
        if self._video is not None:
            self._video.sessions -= 1
        self._video = None
        self._masks = self._masks[:0].clone()

    def _video_on(self, t: int) -> V:
        """The video, if frame `t` is there and the objects are on it.

        Raises:
            PropagationError: it is not, or the session is closed.
        """
        video = self._open_video(t)
        if self._ids and t != self._reached:
            raise PropagationError(
                f"the objects are on frame {self._reached}, not {t}; propagate them there first."
            )
        return video

    def _video_between(self, t: int, to: int) -> V:
        """The video, if both frames are there and neighbours.

        Raises:
            PropagationError: they are not, or the session is closed.
        """
        video = self._open_video(t, to)
        if abs(t - to) != 1:
            raise PropagationError(f"cannot go from frame {t} to {to}; expected neighbours.")
        return video

    def _open_video(self, *frames: int) -> V:
        if self._video is None:
            raise PropagationError("the session is closed; open a new one.")
        for t in frames:
            if not 0 <= t < len(self._video):
                raise PropagationError(
                    f"there is no frame {t}: {len(self._video)} have come so far, counted from 0."
                )
        return self._video

    def _check_new(self, video: V, prompts: Sequence[Prompt]) -> None:
        height, width = video.size
        ids = list(self._ids)
        for prompt in prompts:
            x, y = prompt.point
            if not (0 <= x < width and 0 <= y < height):
                raise InputError(
                    f"the point {prompt.point} (x, y) of object {prompt.object_id} is outside the "
                    f"frame of {video.size} (H, W)."
                )
            if prompt.object_id in ids:
                raise PropagationError(f"object {prompt.object_id} was prompted already.")
            ids.append(prompt.object_id)

    def _current(self) -> Masks:
        # A copy: what is handed out is the caller's.
        return Masks(torch.tensor(self._ids, dtype=torch.int64, device="cpu"), self._masks.clone())
