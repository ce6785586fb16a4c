"""Long series made short enough to draw: consecutive values put together in bins."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt


def bin_edges(count: int, most: int) -> npt.NDArray[np.int64]:
    """Where bins of consecutive values begin and end.

    Args:
        count: of values, at least 1.
        most: bins at the most, at least 1.

    Returns:
        `min(count, most) + 1` indices, strictly increasing from 0 to `count`; bins differ in size
        by at most one value.
    """
    bins = min(count, most)
    return np.arange(bins + 1, dtype=np.int64) * count // bins


def binned_mean(values: npt.ArrayLike, most: int) -> npt.NDArray[np.float64]:
    """The mean of each bin, see `bin_edges`.

    Args:
        values: `(T, ...)`, T at least 1. NaN is left out.
        most: bins at the most.

    Returns:
        `(min(T, most), ...)`; NaN where a bin has no value.
    """
    series = np.asarray(values, np.float64)
    starts = bin_edges(len(series), most)[:-1]
    known = ~np.isnan(series)
    counts = np.add.reduceat(known.astype(np.int64), starts, axis=0)
    sums = np.add.reduceat(np.where(known, series, 0), starts, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def runs(names: Sequence[str], most: int) -> list[tuple[int, int, str]]:
    """Stretches of one name, as first index, index after the last one, and name.

    Where there are more than `most` names, a bin has the name that is most often in it.
    """
    edges = bin_edges(len(names), most).tolist()
    found: list[tuple[int, int, str]] = []
    for first, end in pairwise(edges):
        name = Counter(names[first:end]).most_common(1)[0][0]
        if found and found[-1][2] == name:
            first = found.pop()[0]
        found.append((first, end, name))
    return found
