"""The scores of label maps: IoU, and how often labels change."""

import numpy as np
import numpy.typing as npt

from ditta_adapt.demo.scenes import CLASS_NAMES


def class_iou(found: npt.NDArray[np.int64], truth: npt.NDArray[np.uint8]) -> list[float | None]:
    """The IoU of every class over all pixels; None where a class is in neither."""
    count = len(CLASS_NAMES)
    table = np.bincount(truth.ravel().astype(np.int64) * count + found.ravel(), minlength=count**2)
    table = table.reshape(count, count)
    union = table.sum(0) + table.sum(1) - table.diagonal()
    return [float(h / u) if u else None for h, u in zip(table.diagonal(), union, strict=True)]


def mean_iou(found: npt.NDArray[np.int64], truth: npt.NDArray[np.uint8]) -> float:
    """The mean IoU over the classes that occur."""
    return float(np.mean([iou for iou in class_iou(found, truth) if iou is not None]))


def flicker(labels: npt.NDArray[np.int64] | npt.NDArray[np.uint8]) -> float:
    """The share of pixels whose label changes from one frame to the next."""
    return float(np.mean(labels[1:] != labels[:-1]))
