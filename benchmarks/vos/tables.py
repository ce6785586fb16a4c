"""Rows as a table: a line a propagator, the mean over all objects first."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.vos.measuring import Row
from ditta_adapt.reporting.tables import plain

KEYS = ("frames", "teacher", "length", "jump", "seed")


def pooled(rows: Sequence[Row], which: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
    """Mean J and F over the objects of some rows; NaN where there is none."""
    objects = [known for row in rows for known in row["objects"] if which(known)]
    if not objects:
        return np.array([np.nan, np.nan])
    return np.mean([(known["J"], known["F"]) for known in objects], axis=0)


def table(rows: Sequence[Row]) -> str:
    """J & F over all objects, J, F, the worst video; and J & F of each video, if there are few.

    Of a data set that says which categories are in its training split there are four means, seen
    and unseen, and G is the mean of these.
    """
    videos = list(dict.fromkeys(str(row["video"]) for row in rows))
    few = videos if len(videos) <= 17 else []
    split = any("seen" in known for row in rows for known in row["objects"])
    parts = ["G", "J seen", "F seen", "J unseen", "F unseen"] if split else []
    lines = [[*KEYS, "J&F", "J", "F", "worst", "s a video", *parts, *few]]
    for keys in dict.fromkeys(tuple(row[key] for key in KEYS) for row in rows):
        own = [row for row in rows if tuple(row[key] for key in KEYS) == keys]
        each = {row["video"]: pooled([row]).mean() for row in own}
        j, f = pooled(own)
        worst = np.nanmin([*each.values(), np.inf])
        four: list[float] = []
        if split:
            means = [
                *pooled(own, lambda k: k.get("seen") is True),
                *pooled(own, lambda k: k.get("seen") is False),
            ]
            four = [float(np.mean(means)), *map(float, means)]
        lines.append(
            [
                *map(str, keys),
                *(f"{score:.3f}" for score in ((j + f) / 2, j, f, worst)),
                f"{np.mean([float(row['seconds']) for row in own]):.1f}",
                *(f"{score:.3f}" for score in four),
                *(f"{each[video]:.3f}" if video in each else "" for video in few),
            ]
        )
    return plain(lines)
