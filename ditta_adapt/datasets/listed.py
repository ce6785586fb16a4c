"""A data set as a list of names and a way to open each."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8

from ditta_adapt.datasets.colours import distinct_colours
from ditta_adapt.datasets.labelled_video import LabelledVideo


class ListedDataset:
    """A `VideoDataset` of named videos.

    Args:
        name: of the data set.
        names: of the videos.
        open_video: opens a video by its name; called at every access.
        class_names: of the labels; none if nothing is labelled.
        palette: `(C, 3)` uint8; by default colours that differ.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        open_video: Callable[[str], LabelledVideo],
        *,
        class_names: Sequence[str] = (),
        palette: UInt8[np.ndarray, "C 3"] | None = None,
    ) -> None:
        self.name = name
        self.names = tuple(names)
        self.class_names = tuple(class_names)
        self.palette = distinct_colours(len(self.class_names)) if palette is None else palette
        self._open_video = open_video

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> LabelledVideo:
        return self._open_video(self.names[index])
