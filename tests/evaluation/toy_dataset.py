"""A data set of toy videos with labels, and what is needed to evaluate on it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ditta_adapt import Frame
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.evaluation import Parts, Plan
from tests.toys import NUM_CLASSES, toy_segmenter, toy_video

SIZE = (32, 40)
LENGTH = 12


def toy_labels(seed: int, length: int = LENGTH) -> list[np.ndarray]:
    """Two halves of a class each, with a border that moves a pixel a frame."""
    maps = []
    for t in range(length):
        label = np.full(SIZE, seed % NUM_CLASSES, np.uint8)
        label[:, 10 + t :] = (seed + 1) % NUM_CLASSES
        label[0] = 255
        maps.append(label)
    return maps


def toy_dataset(names: Sequence[str] = ("a", "b"), *, labelled: bool = True) -> ListedDataset:
    def open_video(name: str) -> LabelledVideo:
        if name == "broken":
            raise OSError("the disk is gone")
        seed = ord(name[0]) - ord("a")
        labels = toy_labels(seed) if labelled else [None] * LENGTH
        return LabelledVideo(name, toy_video(LENGTH, SIZE, seed), labels)

    classes = [f"class {index}" for index in range(NUM_CLASSES)] if labelled else []
    return ListedDataset("toys", names, open_video, class_names=classes)


def toy_plan(**changes: object) -> Plan:
    plan = {
        "dataset": toy_dataset(),
        "parts": Parts(toy_segmenter(), OpticalFlowPropagator()),
        "methods": ["image-model", "ditta"],
        "warmups": [0.5],
    }
    return Plan(**plan | changes)  # type: ignore[arg-type]


class FailingPropagator:
    """A teacher that is out of order."""

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[None]:
        raise RuntimeError("out of order")
        yield
