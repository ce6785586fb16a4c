"""What a labelled video is, and what a data set of them can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ditta_adapt.datasets.lazy import NoLabels
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame

IGNORE = 255
"""Label of a pixel that does not count."""
WITHOUT_COUNTERPART = -1
"""In a `relabel` table: a class of the model that is none of the labels', and wrong anywhere."""


@dataclass(frozen=True, eq=False)
class LabelledVideo:
    """One video and what is known of it.

    Attributes:
        name: unique in its data set.
        frames: `(H, W, 3)` uint8 RGB, in the order of time. Read when accessed, so that a long
            video need not fit into memory: keep no more of them than you need.
        labels: one entry a frame, read when accessed: `(H, W)` integers in `[0, C)`, or `IGNORE`
            where a pixel does not count; `None` for a frame without labels.
        relabel: `(num model classes,)` integers, the label class of each class of the model, or
            `WITHOUT_COUNTERPART`, for a model whose classes are not those of the labels; `None`
            where they are the same.

    Raises:
        InputError: another number of labels than of frames, or `relabel` is no row of label
            classes.
    """

    name: str
    frames: Sequence[Frame]
    labels: Sequence[np.ndarray | None]
    relabel: np.ndarray | None = None

    def __post_init__(self) -> None:
        # The length of a video file is costly to know, and `NoLabels` takes it from the frames.
        if not isinstance(self.labels, NoLabels) and len(self.labels) != len(self.frames):
            raise InputError(
                f"video {self.name!r} has {len(self.frames)} frames and {len(self.labels)} labels; "
                "expected one entry a frame, None where a frame has no label."
            )
        table = self.relabel
        if table is not None and (
            table.ndim != 1 or not table.size or table.dtype.kind not in "iu"
        ):
            raise InputError(
                f"video {self.name!r}: relabel has shape {table.shape} and dtype {table.dtype}; "
                "expected (number of the model's classes,) integers."
            )
        if table is not None and (table.min() < WITHOUT_COUNTERPART or table.max() >= IGNORE):
            raise InputError(
                f"video {self.name!r}: relabel has values from {table.min()} to {table.max()}; "
                f"expected label classes, from 0 on, or {WITHOUT_COUNTERPART} for a class that is "
                f"none of them. {IGNORE} is the label of pixels that do not count, and what a "
                "model predicts always counts."
            )


@runtime_checkable
class VideoDataset(Protocol):
    """A sequence of videos; opening one is cheap, its frames are read when accessed."""

    @property
    def name(self) -> str:
        """What to call the data set in a table."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the videos, in order, without opening them."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The `C` classes of the labels, at most 255; empty if nothing is labelled."""
        ...

    @property
    def palette(self) -> np.ndarray:
        """A colour for each class: `(C, 3)` uint8 RGB."""
        ...

    def __len__(self) -> int:
        """The number of videos."""
        ...

    def __getitem__(self, index: int) -> LabelledVideo:
        """Open a video; `IndexError` past the end, so that `for video in dataset` works."""
        ...
