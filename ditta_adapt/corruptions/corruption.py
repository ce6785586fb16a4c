"""One corruption at one strength, applied to a video frame by frame."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.corruptions.cartoon import cartoon
from ditta_adapt.corruptions.colour import brightness, contrast, saturate
from ditta_adapt.corruptions.compression import crf_compression
from ditta_adapt.corruptions.defocus import defocus_blur
from ditta_adapt.corruptions.glass import glass_blur
from ditta_adapt.corruptions.motion import motion_blur
from ditta_adapt.corruptions.noise import gaussian_noise
from ditta_adapt.corruptions.pixelate import pixelate
from ditta_adapt.corruptions.table import (
    STRENGTH_NAMES,
    STRENGTHS,
    STYLE_NAMES,
    corruption_names,
)
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_to_tensor

_PLAIN: dict[str, Callable[..., np.ndarray]] = {
    "brightness": brightness,
    "cartoon": cartoon,
    "contrast": contrast,
    "defocus_blur": defocus_blur,
    "pixelate": pixelate,
    "saturate": saturate,
}
_RANDOM: dict[str, Callable[..., np.ndarray]] = {
    "gaussian_noise": gaussian_noise,
    "glass_blur": glass_blur,
}
_WHOLE_VIDEO: dict[str, Callable[..., Iterator[np.ndarray]]] = {
    "crf_compression": crf_compression,
    "motion_blur": motion_blur,
}


@dataclass(frozen=True)
class Corruption:
    """A corruption of DAVIS-C at one strength; `str()` of it is what `parse_corruption` reads.

    Attributes:
        name: one of `corruption_names()`.
        strength: "low", "med" or "high".

    Raises:
        InputError: an unknown name or strength.
    """

    name: str
    strength: str

    def __post_init__(self) -> None:
        if self.name not in corruption_names():
            raise InputError(
                f"no corruption is called {self.name!r}; there are {', '.join(corruption_names())}."
            )
        if self.strength not in STRENGTH_NAMES:
            raise InputError(
                f"{self.name} has no strength {self.strength!r}; there are "
                f"{', '.join(STRENGTH_NAMES)}."
            )

    def __str__(self) -> str:
        return f"{self.name}:{self.strength}"

    def apply(self, frames: Iterable[Frame], *, seed: int = 0) -> Iterator[Frame]:
        """Corrupt a video, one frame at a time.

        Frames are read as they are asked for, except that `crf_compression` reads them all before
        it returns the first, and `motion_blur` keeps up to four. Frame t of the result depends on
        the frames, the seed and t alone, so that a second run gives the same video; only
        `crf_compression` may differ a little from run to run (see there).

        Args:
            frames: `(H, W, 3)` uint8 RGB, all of one size. They are never written to, and the
                caller may use a frame's memory again as soon as the next one is asked for.
            seed: a non-negative seed for `gaussian_noise` and `glass_blur`; the others ignore it.

        Returns:
            An iterator over as many frames of the same size, each of the kind that was given: a
            numpy array, or a tensor on the same device. Masks of the video stay as they are.

        Raises:
            InputError: `frames` is no iterable, `seed` is negative, or the corruption is one of
                the styles, which are not part of this library.
            ShapeError: while iterating: a frame is malformed or differs in size from the first.
            MissingDependencyError: while iterating: OpenCV (`defocus_blur`, `cartoon`) or PyAV
                with libx265 (`crf_compression`) is not installed.
        """
        if self.name in STYLE_NAMES:
            raise InputError(
                f"{self.name} cannot be applied: it needs the weights of a style-transfer network "
                "and the style images of DAVIS-C, which are not part of ditta-adapt. Read its "
                "frames from the released data set, give both to corruptions.Style, or choose one "
                f"of {', '.join(corruption_names(include_styles=False))}."
            )
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InputError(f"seed is {seed!r}; expected an integer of at least 0.")
        if getattr(frames, "ndim", 1) == 0 or not isinstance(frames, Iterable):
            raise InputError(
                f"frames is a {type(frames).__name__}; expected an iterable of (H, W, 3) uint8 "
                "frames."
            )
        return self._corrupted(frames, int(seed))

    def _corrupted(self, frames: Iterable[Frame], seed: int) -> Iterator[Frame]:
        # Of the frames read and not returned yet; None stands for numpy.
        devices: deque[torch.device | None] = deque()
        for image in self._changed(_checked(frames, devices), seed):
            device = devices.popleft()
            yield image if device is None else torch.from_numpy(image).to(device)

    def _changed(self, images: Iterator[np.ndarray], seed: int) -> Iterator[np.ndarray]:
        numbers = STRENGTHS[self.name][STRENGTH_NAMES.index(self.strength)]
        if self.name in _WHOLE_VIDEO:
            yield from _WHOLE_VIDEO[self.name](images, *numbers)
            return
        for t, image in enumerate(images):
            if self.name in _RANDOM:
                # A generator for each frame: a frame's noise does not depend on the others' sizes.
                rng = np.random.default_rng([seed, t])
                yield _RANDOM[self.name](image, *numbers, rng=rng)
            else:
                yield _PLAIN[self.name](image, *numbers)


def parse_corruption(text: str) -> Corruption:
    """Read `"name:strength"`, such as `"gaussian_noise:high"` or, the same, `"gaussian_noise:3"`.

    Raises:
        InputError: `text` is no such string, or names an unknown corruption or strength.
    """
    name, colon, strength = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon:
        raise InputError(
            f"{text!r} is no corruption; expected name:strength, such as gaussian_noise:high. "
            f"Names are {', '.join(corruption_names())}; strengths are "
            f"{', '.join(STRENGTH_NAMES)}, or 1, 2, 3."
        )
    numbered = {str(number): word for number, word in enumerate(STRENGTH_NAMES, start=1)}
    return Corruption(name, numbered.get(strength, strength))


def _checked(frames: Iterable[Frame], devices: deque[torch.device | None]) -> Iterator[np.ndarray]:
    """Copies of the frames as contiguous `(H, W, 3)` arrays; notes where each one came from."""
    size: tuple[int, ...] | None = None
    for t, frame in enumerate(frames):
        tensor = frame_to_tensor(frame, name=f"frame {t}").permute(1, 2, 0)
        size = size or tuple(tensor.shape[:2])
        if tuple(tensor.shape[:2]) != size:
            raise ShapeError(
                f"frame {t} is {tuple(tensor.shape[:2])} (H, W) but frame 0 is {size}; all frames "
                "of a video must have one size. Resize them, or treat the parts as separate videos."
            )
        devices.append(frame.device if isinstance(frame, Tensor) else None)
        yield np.array(tensor.cpu().numpy(), order="C", copy=True)
