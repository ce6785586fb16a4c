"""OpenCV, with an error that says what to install when it is absent."""

from ditta_adapt.errors import MissingDependencyError

try:
    import cv2
except ImportError as error:
    raise MissingDependencyError.for_extra("OpenCV", "flow") from error

__all__ = ["cv2"]
