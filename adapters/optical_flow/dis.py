"""Dense inverse search of OpenCV."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.io import require


class DIS:
    """OpenCV's DIS, preset medium, on grey frames; see `FlowEstimator`.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._cv2 = require("cv2")
        self._dis = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def prepare(self, frame: UInt8[Tensor, "3 H W"], size: tuple[int, int]) -> np.ndarray:
        """Grey levels `(h, w)` uint8; the frame is shrunk by area."""
        image = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
        area = self._cv2.INTER_AREA
        image = self._cv2.resize(image, (size[1], size[0]), interpolation=area)
        grey: np.ndarray = self._cv2.cvtColor(image, self._cv2.COLOR_RGB2GRAY)
        return grey

    def flow(self, first: np.ndarray, second: np.ndarray) -> Float[Tensor, "2 2 h w"]:
        """Both ways, one after the other, on half of the size.

        This preset ends there, and enlarges what it found.
        """
        half = (max(first.shape[1] // 2, 8), max(first.shape[0] // 2, 8))
        ratio = np.array([half[0] / first.shape[1], half[1] / first.shape[0]], dtype=np.float32)
        ways = [
            self._cv2.resize(self._dis.calc(*pair, None), half, interpolation=self._cv2.INTER_AREA)
            for pair in ((first, second), (second, first))
        ]
        return torch.from_numpy(np.stack(ways) * ratio).permute(0, 3, 1, 2)
