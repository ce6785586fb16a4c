"""Third-party libraries that only some users need, imported when they are first needed."""

import importlib
from types import ModuleType

from ditta_adapt.errors import MissingDependencyError

LIBRARIES = {
    "av": ("PyAV", "video"),
    "cutie": ("rf-cutie", "cutie"),
    "cv2": ("OpenCV", "flow"),
    "fsspec": ("fsspec", "remote"),
    "huggingface_hub": ("huggingface-hub", "hf"),
    "PIL": ("Pillow", "video"),
    "matplotlib": ("Matplotlib", "report"),
    "omegaconf": ("OmegaConf", "cutie"),
    "pyarrow": ("PyArrow", "batch"),
    "ray": ("Ray", "ray"),
    "tqdm": ("tqdm", "report"),
    "transformers": ("transformers", "hf"),
}
"""By module: what the library is called, and the extra of ditta-adapt that brings it."""


def require(module: str) -> ModuleType:
    """Import an optional library, such as `require("cv2")` or `require("PIL.Image")`.

    Raises:
        MissingDependencyError: it is not installed; the message says which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library, extra = LIBRARIES[module.partition(".")[0]]
        raise MissingDependencyError.for_extra(library, extra) from error
