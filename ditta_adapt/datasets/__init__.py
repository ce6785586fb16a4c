"""Videos with labels, all data sets behind one protocol: see `labelled_video.VideoDataset`."""

from ditta_adapt.datasets.labelled_video import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.datasets.opening import open_dataset

__all__ = ["IGNORE", "LabelledVideo", "VideoDataset", "open_dataset"]
