"""Labelled frames of the source domain, drawn and cut to the size of the target's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.datasets.labelled_video import IGNORE as NOT_COUNTED
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.targets.targets import IGNORE


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A frame, and what is true of it.

    Attributes:
        frame: RGB.
        labels: classes, or `IGNORE`.
    """

    frame: UInt8[Tensor, "3 H W"]
    labels: Int64[Tensor, "H W"]


class SourceClips:
    """Draws clips of labelled frames.

    Args:
        videos: of the source domain, labelled with the classes of the model; frames without labels
            are passed over.
        num_classes: of the model.

    Raises:
        InputError: fewer than two videos; or a data set that names another number of classes.
    """

    def __init__(self, videos: VideoDataset | Sequence[LabelledVideo], num_classes: int) -> None:
        if len(videos) < 2:
            raise InputError(
                f"the source has {len(videos)} videos; expected two at least, one to learn from "
                "and one to check what was learned, or none: leave it out."
            )
        named = len(videos.class_names) if isinstance(videos, VideoDataset) else 0
        if named not in (0, num_classes):
            raise InputError(
                f"the source has {named} classes and the model {num_classes}; expected the same."
            )
        self._videos, self._num_classes = videos, num_classes
        self._places: Sequence[int] = range(len(videos))

    def only(self, places: Sequence[int]) -> "SourceClips":
        """The same of some of the videos."""
        some = SourceClips(self._videos, self._num_classes)
        some._places = [self._places[place] for place in places]
        return some

    @property
    def names(self) -> list[str]:
        """Of the videos."""
        if isinstance(self._videos, VideoDataset):
            return [self._videos.names[place] for place in self._places]
        return [self._videos[place].name for place in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def draw(
        self,
        length: int,
        size: tuple[int, int],
        random: np.random.Generator,
        *,
        together: bool,
    ) -> list[LabelledFrame]:
        """So many labelled frames, each scaled to cover a size, and cut to it at random.

        Args:
            length: how many.
            size: `(H, W)`.
            random: draws.
            together: they are neighbours in one video, cut by one window; the last is repeated
                where that ends. Else each is drawn on its own.

        Raises:
            InputError: no video has labels, or one that was drawn has some that do not fit.
        """
        if not together:
            return [self.draw(1, size, random, together=True)[0] for _ in range(length)]
        drawn, place = int(random.integers(len(self._places))), random.random()
        window = random.random(2)
        found: list[LabelledFrame] = []
        for step in range(len(self._places)):
            # One without labels is passed over for the next.
            video = self._opened(self._places[(drawn + step) % len(self._places)])
            # Behind the last label of a video there may be none.
            for start in (int(place * len(video.frames)), 0):
                found = found or [each for _, each in islice(self._labelled(video, start), length)]
            if found:
                break
        else:
            raise InputError("no video of the source has labels; expected some.")
        cut = [cover(each, size, (float(window[0]), float(window[1]))) for each in found]
        return cut + [cut[-1]] * (length - len(cut))

    def spread(self, count: int) -> Iterator[list[LabelledFrame]]:
        """At most so many labelled frames of every video that has some, spread evenly.

        They have their own size; a video is read when it is its turn.

        Raises:
            InputError: a video has labels that do not fit.
        """
        for place in self._places:
            found = self._spread(self._opened(place), count)
            if found:
                yield found

    def _spread(self, video: LabelledVideo, count: int) -> list[LabelledFrame]:
        found: dict[int, LabelledFrame] = {}
        for start in np.linspace(0, max(len(video.frames) - 1, 0), count).round().astype(int):
            for t, labelled in islice(self._labelled(video, int(start)), 1):
                found[t] = labelled
        # Before the last start there may be one.
        return list((found or dict(islice(self._labelled(video, 0), 1))).values())

    def _opened(self, place: int) -> LabelledVideo:
        video = self._videos[place]
        if video.relabel is not None:
            raise InputError(
                f"source video {video.name!r} has labels of other classes than the model's; "
                "expected the same classes."
            )
        return video

    def _labelled(self, video: LabelledVideo, start: int) -> Iterator[tuple[int, LabelledFrame]]:
        for t in range(start, len(video.frames)):
            labels = video.labels[t]
            if labels is None:
                continue
            name = f"source video {video.name!r}, frame {t}"
            frame = frame_to_tensor(video.frames[t], name=name)
            if labels.dtype.kind not in "iu" or labels.shape != tuple(frame.shape[1:]):
                raise InputError(
                    f"{name}: labels have shape {labels.shape} and dtype {labels.dtype}; expected "
                    f"{tuple(frame.shape[1:])} integers."
                )
            known = torch.from_numpy(labels.astype(np.int64))
            known = torch.where(known == NOT_COUNTED, IGNORE, known)
            if int(known.min()) < IGNORE or int(known.max()) >= self._num_classes:
                raise InputError(
                    f"{name}: labels from {int(known.min())} to {int(known.max())}; expected "
                    f"classes of the model, in [0, {self._num_classes}), or {NOT_COUNTED}."
                )
            yield t, LabelledFrame(frame, known)


def cover(
    labelled: LabelledFrame, size: tuple[int, int], window: tuple[float, float]
) -> LabelledFrame:
    """A frame scaled, by one factor, to cover a size, and cut to it.

    Args:
        labelled: of any size.
        size: `(H, W)` of the result.
        window: where it is cut, from 0, at the top or left, to 1.
    """
    own = labelled.labels.shape
    factor = max(size[0] / own[0], size[1] / own[1])
    scaled = max(ceil(own[0] * factor - 1e-9), size[0]), max(ceil(own[1] * factor - 1e-9), size[1])
    frame, labels = labelled.frame, labelled.labels
    if scaled != tuple(own):
        resized = F.interpolate(frame[None].float(), scaled, mode="bilinear", antialias=True)
        frame = resized[0].round().clamp(0, 255).to(torch.uint8)
        labels = nearest(labels, scaled)
    top, left = (
        round(place * (whole - part))
        for place, whole, part in zip(window, scaled, size, strict=True)
    )
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    return LabelledFrame(frame[:, rows, columns], labels[rows, columns])


def nearest(labels: Int64[Tensor, "H W"], size: tuple[int, int]) -> Int64[Tensor, "H2 W2"]:
    """Labels on another grid over the same frame, each that of the nearest pixel."""
    # Exact in float64, as all classes are.
    resized = F.interpolate(labels[None, None].double(), size, mode="nearest-exact")
    return resized[0, 0].long()
