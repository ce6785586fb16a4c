"""The image model alone, the row that every method is compared with."""

from typing import Any

from torch import Tensor

from ditta_adapt.baselines.frame_by_frame import Answer, FrameByFrame
from ditta_adapt.progress import ProgressCallback


class ImageModel(FrameByFrame):
    """Label every frame on its own with the image model as it is.

    `adapt` checks the frames and learns nothing.

    Args:
        model: a model of a known type, or any `Segmenter`.

    Raises:
        UnknownModelError: the model's type has no adapter.
        SegmenterError: the segmenter cannot be copied.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.reset()

    def _adapted(
        self, frames: list[Tensor], progress: ProgressCallback
    ) -> tuple[Answer, list[float]]:
        return self._pretrained(), []
