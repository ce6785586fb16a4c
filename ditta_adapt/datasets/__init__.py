"""Videos with labels, all data sets behind one protocol: see `labelled_video.VideoDataset`."""

from ditta_adapt.datasets.class_map import ClassMap, MappedDataset, read_class_map
from ditta_adapt.datasets.labelled_video import (
    IGNORE,
    WITHOUT_COUNTERPART,
    LabelledVideo,
    VideoDataset,
)
from ditta_adapt.datasets.opening import open_dataset

__all__ = [
    "IGNORE",
    "WITHOUT_COUNTERPART",
    "ClassMap",
    "LabelledVideo",
    "MappedDataset",
    "VideoDataset",
    "open_dataset",
    "read_class_map",
]
