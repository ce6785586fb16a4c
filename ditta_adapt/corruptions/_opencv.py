"""OpenCV, imported when first needed."""

from typing import Any

from ditta_adapt.errors import MissingDependencyError


def import_opencv() -> Any:
    """The module `cv2`.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError.for_extra("OpenCV", "flow") from error
    return cv2
