"""A video in which objects are to be followed from their first masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ditta_adapt.io.frames import Frame


@dataclass(frozen=True, eq=False)
class ObjectVideo:
    """One video, its objects by their ids, and what is known of them.

    Attributes:
        name: unique in its data set.
        frames: `(H, W, 3)` uint8 RGB, read when accessed.
        masks: one entry a frame, read when accessed: `(H, W)` uint8 ids, 0 where there is no
            object; `None` for a frame without annotation.
        late: whether an object may begin after the first frame: where its id is first annotated.
            Else such ids are background, as in the evaluation of DAVIS.
        categories: of objects by their ids; empty where nothing is known.
    """

    name: str
    frames: Sequence[Frame]
    masks: Sequence[np.ndarray | None]
    late: bool = False
    categories: Mapping[int, str] = field(default_factory=dict)

    def begins(self) -> dict[int, dict[int, np.ndarray]]:
        """The first mask of every object, by frame and id; of a video with late ones all are read.

        Returns:
            `(H, W)` bool each.
        """
        found: dict[int, dict[int, np.ndarray]] = {}
        known = {0}
        for t in range(len(self.masks) if self.late else 1):
            labels = self.masks[t]
            new = [] if labels is None else sorted(set(np.unique(labels).tolist()) - known)
            if labels is not None and new:
                found[t] = {number: labels == number for number in new}
                known |= set(new)
        return found


@dataclass(frozen=True, eq=False)
class ObjectVideos:
    """A data set of them.

    Attributes:
        name: of the data set.
        videos: in order; cheap until their frames are accessed.
        seen: categories that are in the training split, too; none if that is not known.
    """

    name: str
    videos: Sequence[ObjectVideo]
    seen: frozenset[str] | None = None
