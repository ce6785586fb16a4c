"""From the pixel values of a label image to label ids, and from a model's classes to label ids."""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Int16, Int64, Integer, UInt8

from ditta_adapt.datasets.labelled_video import IGNORE
from ditta_adapt.errors import InputError

_NO_LABEL = -1


def label_table(labels: Mapping[int, int]) -> Int16[np.ndarray, " values"]:
    """The label of every pixel value, as a table to look up.

    Args:
        labels: pixel value (0 or more) to label id. 255 means `IGNORE` unless it says otherwise.

    Returns:
        `(largest value + 1,)` int16; -1 for values that do not occur.
    """
    labels = {IGNORE: IGNORE, **labels}
    table = np.full(max(labels) + 1, _NO_LABEL, np.int16)
    for value, label in labels.items():
        table[value] = label
    return table


def identity_table(num_classes: int, void: Collection[int] = ()) -> Int16[np.ndarray, " values"]:
    """Pixel values `0 .. num_classes - 1` are their own label; 255 and those in `void` are ignored.

    Raises:
        InputError: not 1 to 255 classes (255 itself is `IGNORE`), or `void` is not in 0..65535.
    """
    if not 1 <= num_classes <= IGNORE:
        raise InputError(f"there are {num_classes} label classes; expected 1 to {IGNORE}.")
    for value in void:
        if not 0 <= value < 2**16:
            raise InputError(f"void is {value}; expected a pixel value in 0..65535.")
    return label_table({i: i for i in range(num_classes)} | dict.fromkeys(void, IGNORE))


def look_up(
    values: Integer[np.ndarray, "H W"], table: Int16[np.ndarray, " values"]
) -> UInt8[np.ndarray, "H W"]:
    """The labels of pixel values.

    Raises:
        InputError: a value that is not in the table, with those that are.
    """
    labels: np.ndarray = table[np.clip(values, 0, len(table) - 1)]
    unknown = (labels == _NO_LABEL) | (values < 0) | (values >= len(table))
    if unknown.any():
        raise InputError(
            f"the pixel value {int(values[unknown][0])} is no label of this data set; expected "
            f"{_ranges(np.flatnonzero(table != _NO_LABEL))}."
        )
    found: np.ndarray = labels.astype(np.uint8)
    return found


def object_relabel(
    object_classes: Collection[int], num_classes: int
) -> Int64[np.ndarray, " num_classes"]:
    """Label class of each class of a model: 1 for those of the object, 0 for all others.

    Args:
        object_classes: ids in `[0, num_classes)`.
        num_classes: of the model.
    """
    table = np.zeros(num_classes, np.int64)
    table[list(object_classes)] = 1
    return table


def _ranges(numbers: Integer[np.ndarray, " n"]) -> str:
    """`[0, 1, 2, 255]` as `0..2, 255`."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
