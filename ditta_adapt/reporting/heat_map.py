"""Maps of flicker as pictures: dark where labels stay, bright where they change."""

from io import BytesIO

import numpy as np
from jaxtyping import Float32

from ditta_adapt.io.optional import require

_COLOURS = "inferno"
# A page shows no more pixels than these.
_LONGEST_SIDE = 640
_LOWEST_TOP = 0.01


def brightest(*maps: Float32[np.ndarray, "..."]) -> float:
    """The flicker that is shown brightest, on one scale for all maps: in [0.01, 1].

    A few pixels flicker far more than the others; the brightest half a percent look the same.
    """
    shares = np.concatenate([each.ravel() for each in maps])
    return max(float(np.quantile(shares, 0.995)), _LOWEST_TOP)


def heat_map(flicker: Float32[np.ndarray, "h w"], top: float) -> bytes:
    """A map as a PNG file, at most 640 pixels high and wide.

    Args:
        flicker: in [0, 1].
        top: what is shown brightest, see `brightest`.

    Raises:
        MissingDependencyError: Matplotlib, which brings Pillow, is not installed.
    """
    pillow = require("PIL.Image")
    small = pillow.fromarray(flicker)
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), pillow.Resampling.BOX, reducing_gap=None)
    levels = np.clip(np.asarray(small) / top, 0, 1) * 255
    picture = pillow.fromarray(levels.round().astype(np.uint8))
    picture.putpalette(_colours(256).tobytes())
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def gradient() -> str:
    """The colours of the maps from no flicker to the most, as a gradient of CSS."""
    stops = ", ".join("#" + bytes(colour).hex() for colour in _colours(9))
    return f"linear-gradient(to right, {stops})"


def _colours(count: int) -> np.ndarray:
    """`(count, 3)` uint8 RGB."""
    colours = require("matplotlib").colormaps[_COLOURS](np.linspace(0, 1, count), bytes=True)
    rgb: np.ndarray = np.ascontiguousarray(colours[:, :3])
    return rgb
