"""The photographs that clips take texture from, all shipped inside two packages of PyPI.

Only photographs whose packages name a licence that allows any use are listed. Left out of the same
folders: the moon and the motorcycles (no licence named), medical pictures, drawings and text.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ditta_adapt.errors import MissingDependencyError

Image = npt.NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""


@dataclass(frozen=True)
class Photo:
    """Where one photograph lies, who made it, and what its package says of its licence."""

    package: str
    path: str
    author: str
    licence: str
    source: str


_CC_BY = "CC BY 2.0"
_CC0 = "CC0 1.0"
_PUBLIC = "public domain"

PHOTOS: tuple[Photo, ...] = (
    Photo("skimage", "data/astronaut.png", "NASA", _PUBLIC, "https://flic.kr/p/r9qvLn"),
    Photo(
        "skimage",
        "data/brick.png",
        "CC0Textures",
        _CC0,
        "https://cc0textures.com/view.php?tex=Bricks25",
    ),
    Photo("skimage", "data/camera.png", "Lav Varshney", _CC0, "scikit-image, issue 3927"),
    Photo("skimage", "data/chelsea.png", "Stefan van der Walt", _CC0, "scikit-image"),
    Photo("skimage", "data/coffee.png", "Rachel Michetti", _CC0, "scikit-image"),
    Photo(
        "skimage",
        "data/coins.png",
        "Brooklyn Museum",
        "no known copyright restrictions",
        "https://www.brooklynmuseum.org/opencollection/archives/image/51611",
    ),
    Photo(
        "skimage",
        "data/grass.png",
        "linolafett",
        _CC0,
        "https://www.deviantart.com/linolafett/art/Grass-01-434853879",
    ),
    Photo(
        "skimage",
        "data/gravel.png",
        "CC0Textures",
        _CC0,
        "https://cc0textures.com/view.php?tex=Gravel04",
    ),
    Photo(
        "skimage",
        "data/hubble_deep_field.jpg",
        "NASA",
        _PUBLIC,
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    Photo(
        "skimage",
        "data/rocket.jpg",
        "SpaceX",
        _PUBLIC,
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
    Photo(
        "sklearn",
        "datasets/images/china.jpg",
        "danielbuechele",
        _CC_BY,
        "https://www.flickr.com/photos/danielbuechele/6061409035/",
    ),
    Photo(
        "sklearn",
        "datasets/images/flower.jpg",
        "vultilion",
        _CC_BY,
        "https://www.flickr.com/photos/vultilion/6056698931/",
    ),
)
"""Every photograph that is read, and no other."""

SILHOUETTE = Photo(
    "skimage",
    "data/horse.png",
    "Andreas Preuss (marauder)",
    _CC0,
    "http://openclipart.org/detail/158377/horse-by-marauder",
)
"""A drawn animal in black on white, used for its outline alone."""

_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
_LEVELS = 3


def find_photo(photo: Photo) -> Path:
    """The file of a photograph in its installed package.

    Raises:
        MissingDependencyError: the package is not installed, or this version of it does not ship
            the file.
    """
    spec = find_spec(photo.package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / photo.path).is_file():
            return path
    name = _DISTRIBUTIONS[photo.package]
    raise MissingDependencyError(
        f"{photo.path} of {name} was not found. Install it with: pip install {name}"
    )


@cache
def photo_pyramid(index: int) -> tuple[Image, ...]:
    """Photograph ``index`` of `PHOTOS` at full, half and quarter resolution, read once.

    Raises:
        MissingDependencyError: see `find_photo`.
    """
    picture = cv2.imread(str(find_photo(PHOTOS[index])), cv2.IMREAD_COLOR)
    levels = [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)]
    for _ in range(_LEVELS - 1):
        height, width = levels[-1].shape[:2]
        levels.append(
            cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        )
    return tuple(levels)


@cache
def silhouette_outline() -> npt.NDArray[np.float64]:
    """The outline of `SILHOUETTE`, shape (N, 2), (x, y) with the longer side from -1 to 1.

    Raises:
        MissingDependencyError: see `find_photo`.
    """
    picture = cv2.imread(str(find_photo(SILHOUETTE)), cv2.IMREAD_UNCHANGED)
    dark = np.uint8(picture[..., :3].max(axis=2) < 128)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - (low + high) / 2) * 2 / (high - low).max())
