"""Charts over the time of a video, as SVG.

A series of more values than a chart can show is drawn as means of consecutive ones, at most one
every two pixels (400 of them on a wide chart), so that a long video makes no larger a file.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ditta_adapt.io.optional import require
from ditta_adapt.reporting.binning import binned_mean, runs
from ditta_adapt.reporting.drawing import Drawing, draw
from ditta_adapt.reporting.story import Story

WIDTHS = (800, 360)
"""Pixels of a wide and of a narrow chart; letters are of one size on both."""

SPEAKER_COLOURS = {
    "adapted": "var(--after)",
    "memory": "var(--memory)",
    "image model": "var(--before)",
}
"""By who speaks, the colour in CSS."""

MOST_CLASSES = 8
"""So many classes have a colour in the chart of areas; the others share one."""

OTHER_COLOUR = "var(--other)"


def change_chart(story: Story, width: int) -> str:
    """Share of pixels whose label changes: of the video model, and of the image model where known.

    The axis ends at the largest value that is not at a cut, so that cuts do not hide the rest.

    Args:
        story: what is reported.
        width: pixels, see `WIDTHS`.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
    """

    def paint(drawing: Drawing) -> None:
        _time_axis(drawing, story)
        _marks(drawing, story)
        _line(drawing, story.times, story.changed, "var(--after)")
        _points(drawing, story, story.changed_before, "var(--before)")
        usual = np.delete(np.asarray(story.changed, np.float64), list(story.cuts))
        before = [v for index, v in story.changed_before.items() if index not in story.cuts]
        top = np.nanmax([0.01, *usual, *before])
        _percent_axis(drawing, 0, 1.1 * top)

    return draw("change", "Share of changed pixels over time", (width, 230), paint)


def reliability_chart(story: Story, width: int) -> str:
    """Mean reliability at the frames where it is known; see `change_chart`."""

    def paint(drawing: Drawing) -> None:
        _time_axis(drawing, story)
        _marks(drawing, story)
        _points(drawing, story, story.reliability, "var(--after)")
        lowest = min(story.reliability.values(), default=0)
        _percent_axis(drawing, np.floor(9.9 * lowest) / 10, 1.02)

    return draw("reliability", "Mean reliability over time", (width, 180), paint)


def speaker_chart(story: Story, width: int) -> str:
    """A strip that says who labelled each frame, and a tick at every look; see `change_chart`."""

    def paint(drawing: Drawing) -> None:
        _time_axis(drawing, story)
        edges, found = _edges(story), runs(story.speakers, width // 2)
        begins = edges[[*(first for first, _, _ in found), -1]]
        # One path a speaker: without height where another one speaks.
        for speaker in dict.fromkeys(story.speakers):
            heights = [0.7 if name == speaker else 0 for _, _, name in found]
            colour = drawing.colour(SPEAKER_COLOURS.get(speaker, OTHER_COLOUR))
            drawing.axes.stairs(heights, begins, fill=True, color=colour, linewidth=0)
        drawing.axes.set_ylim(0, 1)
        _ticks(drawing, edges[list(story.looks)], (0.78, 1), "var(--ink)")
        drawing.axes.set_yticks([])

    return draw("speaker", "Who labelled each frame", (width, 80), paint)


def area_chart(story: Story, width: int) -> str:
    """Share of the picture of the largest classes, on top of each other; see `change_chart`."""

    def paint(drawing: Drawing) -> None:
        _time_axis(drawing, story)
        edges, bands = _edges(story), area_bands(story)
        # From the beginning of the first frame to the end of the last one, and down to 0.
        times = binned_mean(story.times, width // 2)
        times = np.r_[edges[0], edges[0], times, edges[-1], edges[-1]]
        tops = np.cumsum([binned_mean(share, width // 2) for _, share in bands], axis=0)
        # From the highest down, so that each one covers what is not its own.
        for (colour, _), top in reversed(list(zip(bands, tops, strict=True))):
            outline = np.pad(np.pad(top, 1, mode="edge"), 1)
            drawing.axes.fill(times, outline, color=drawing.colour(colour), linewidth=0)
        _cuts(drawing, story)
        _percent_axis(drawing, 0, 1)

    return draw("area", "Share of the picture of each class over time", (width, 230), paint)


def largest_classes(story: Story) -> list[int]:
    """Indices into the legend of the classes that have a colour in the chart, largest first."""
    order = np.argsort(-story.areas.mean(axis=0), kind="stable")
    return [int(index) for index in order[:MOST_CLASSES]]


def area_bands(story: Story) -> list[tuple[str, npt.NDArray[np.float64]]]:
    """CSS colour and share `(T,)` of each band of the chart of areas, from below."""
    shown = largest_classes(story)
    bands = [(story.legend[index].colour, story.areas[:, index]) for index in shown]
    if len(shown) < len(story.legend):
        bands.append((OTHER_COLOUR, np.delete(story.areas, shown, axis=1).sum(axis=1)))
    return bands


def _edges(story: Story) -> npt.NDArray[np.float64]:
    """When each frame begins, and when the last one ends."""
    times = np.asarray(story.times, np.float64)
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
    return np.append(times, times[-1] + step)


def _time_axis(drawing: Drawing, story: Story) -> None:
    ticker, edges = require("matplotlib.ticker"), _edges(story)
    drawing.axes.set_xlim(edges[0], edges[-1])
    drawing.axes.xaxis.set_major_locator(ticker.MaxNLocator(drawing.width // 80))
    drawing.axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda time, _: f"{time:g} s"))


def _marks(drawing: Drawing, story: Story) -> None:
    """The warm-up, the cuts and the looks."""
    edges, learned = _edges(story), min(story.warmup, len(story.times))
    if learned:
        colour = drawing.colour("var(--warmup)")
        drawing.axes.axvspan(edges[0], edges[learned], color=colour, linewidth=0)
    _cuts(drawing, story)
    _ticks(drawing, edges[list(story.looks)], (0, 0.04), "var(--muted)")


def _cuts(drawing: Drawing, story: Story) -> None:
    dashes = (0, (4, 3))
    _ticks(drawing, _edges(story)[list(story.cuts)], (0, 1), "var(--cut)", dashes)


def _ticks(
    drawing: Drawing,
    times: npt.NDArray[np.float64],
    span: tuple[float, float],
    css: str,
    style: object = "-",
) -> None:
    """Vertical lines, all as one path, over a part of the height: 0 is below, 1 above.

    Of lines in the same two pixels the first one is drawn.
    """
    first, last = drawing.axes.get_xlim()
    places = ((times - first) / (last - first) * drawing.width / 2).astype(np.int64)
    times = times[np.unique(places, return_index=True)[1]]
    drawing.axes.plot(
        np.repeat(times, 3),
        np.tile([*span, np.nan], len(times)),
        color=drawing.colour(css),
        linewidth=1,
        linestyle=style,
        transform=drawing.axes.get_xaxis_transform(),
    )


def _line(
    drawing: Drawing, times: Sequence[float], values: Sequence[float], css: str, marker: str = ""
) -> None:
    most = drawing.width // 2
    drawing.axes.plot(
        binned_mean(times, most),
        binned_mean(values, most),
        color=drawing.colour(css),
        linewidth=1.5,
        marker=marker,
        markersize=4,
    )


def _points(drawing: Drawing, story: Story, values: Mapping[int, float], css: str) -> None:
    """A line through values of some frames, with a point at each while they are few."""
    if values:
        known = sorted(values)
        marker = "o" if len(known) <= drawing.width // 10 else ""
        times = [story.times[index] for index in known]
        _line(drawing, times, [values[index] for index in known], css, marker)


def _percent_axis(drawing: Drawing, low: float, high: float) -> None:
    ticker = require("matplotlib.ticker")
    drawing.axes.set_ylim(low, high)
    drawing.axes.yaxis.set_major_locator(ticker.MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    drawing.axes.yaxis.set_major_formatter(
        ticker.FuncFormatter(lambda share, _: f"{round(100 * share, 2):g} %")
    )
