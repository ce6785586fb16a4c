"""What a camera does to a picture: light that drifts, noise, blur, compression."""

import cv2
import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.textures import Rng, fractal


class Look:
    """The looks of one clip."""

    def __init__(self, rng: Rng, frames: int, size: int) -> None:
        """Draw how ``frames`` frames of side ``size`` will look."""
        steps = rng.normal(0, rng.choice([0.002, 0.01, 0.03]), (frames, 3)) * [1, 0.2, 0.2]
        path = np.cumsum(steps, axis=0)
        self._gain = np.exp(path[:, :1] + np.pad(path[:, 1:], ((0, 0), (0, 1))))
        self._flash = np.where(rng.random(frames) < 0.02, rng.uniform(0.8, 1.25, frames), 1.0)
        self._shade = None
        if rng.random() < 0.3:
            field = 1 + rng.uniform(0.05, 0.3) * fractal(rng, size, cells=1.5, roughness=0.05)
            self._shade = np.clip(field, 0.4, 1.4)[..., None]
        self._noise = None
        if rng.random() < 0.5:
            grain = rng.normal(0, rng.uniform(1, 9), (size + 32, size + 32, 3))
            self._noise = grain.astype(np.float32)
        self._offsets = rng.integers(0, 33, (frames, 2))
        self._blur = rng.uniform(0.4, 1.0) * size / 160 if rng.random() < 0.35 else 0.0
        self._quality = int(rng.integers(30, 90)) if rng.random() < 0.25 else 0

    def apply(self, frame: npt.NDArray[np.float32], t: int) -> Image:
        """Frame ``t``, float32 RGB in about 0..255 and changed in place, as the camera gives it."""
        frame *= (self._gain[t] * self._flash[t]).astype(np.float32)
        if self._shade is not None:
            frame *= self._shade
        if self._blur:
            frame = cv2.GaussianBlur(frame, (0, 0), self._blur)
        if self._noise is not None:
            y, x = self._offsets[t]
            frame += self._noise[y : y + frame.shape[0], x : x + frame.shape[1]]
        image = np.clip(frame, 0, 255).astype(np.uint8)
        if self._quality:
            code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
            image = cv2.imdecode(code, cv2.IMREAD_COLOR)
        return image
