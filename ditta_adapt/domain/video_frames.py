"""Videos of a domain, whether they are labelled or not."""

from collections.abc import Sequence

import numpy as np

from ditta_adapt.datasets.labelled_video import LabelledVideo
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import FrameLike


def frames_of(video: Sequence[FrameLike] | LabelledVideo) -> Sequence[FrameLike]:
    """The frames of a video."""
    return video.frames if isinstance(video, LabelledVideo) else video


def label_of(labels: Sequence[np.ndarray | None], t: int) -> np.ndarray | None:
    """What is true of a frame; none where that cannot be read, since it teaches nothing."""
    try:
        return labels[t]
    except InputError:
        return None
