"""Charts with what their colours mean, and their content in words."""

from collections import Counter
from collections.abc import Callable, Iterable
from html import escape

import numpy as np

from ditta_adapt.reporting.charts import (
    MOST_CLASSES,
    OTHER_COLOUR,
    SPEAKER_COLOURS,
    WIDTHS,
    area_chart,
    change_chart,
    largest_classes,
    reliability_chart,
    speaker_chart,
)
from ditta_adapt.reporting.markup import key, percent
from ditta_adapt.reporting.story import Story

_Item = tuple[str, str, str]


def chart_figures(story: Story) -> str:
    """All charts over time as HTML, each with a key and a caption.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
    """
    figures = [_change(story), _reliability(story), _speakers(story), _areas(story)]
    return f'<div class="charts">{"".join(figures)}</div>'


def _change(story: Story) -> str:
    if np.isnan(story.changed).all():
        return ""
    items: list[_Item] = [("line", "var(--after)", "video model")]
    text = (
        "How much of the picture has another label than one frame before. "
        f"Video model: {_mean(story.changed)} on average over the whole video."
    )
    if story.changed_before:
        items.append(("dot", "var(--before)", "image model alone"))
        text += (
            f" At the {_count(len(story.changed_before), 'frame')} at which the image model alone "
            f"was run too: {_mean(story.changed_before.values())} before, "
            f"{_mean(story.changed_after.values())} after."
        )
    if len(story.times) > WIDTHS[0] // 2:
        text += " Each point is the mean of consecutive frames."
    if story.cuts:
        text += " The line may leave the picture where a scene begins."
    return _figure("Changed pixels", change_chart, story, items + _marks(story), text)


def _reliability(story: Story) -> str:
    if not story.reliability:
        return ""
    values = story.reliability.values()
    text = (
        f"How sure the labels are, at {_count(len(values), 'frame')}: {_mean(values)} on average, "
        f"at least {percent(min(values))}."
    )
    items = [("dot", "var(--after)", "mean reliability"), *_marks(story)]
    return _figure("Reliability", reliability_chart, story, items, text)


def _speakers(story: Story) -> str:
    counts = Counter(story.speakers).most_common()
    items = [("area", SPEAKER_COLOURS.get(name, OTHER_COLOUR), name) for name, _ in counts]
    shares = ", ".join(f"{name} {percent(count / len(story.speakers))}" for name, count in counts)
    text = (
        f"Whose labels were shown, by share of the frames: {shares}. The adapted model has "
        "learned this video; the memory is the image model with its own past labels; the image "
        "model is the one you brought, unchanged."
    )
    if story.looks:
        text += f" It took {_count(len(story.looks), 'second look')} to decide."
        items.append(("tick", "var(--ink)", "second look"))
    return _figure("Who spoke", speaker_chart, story, items, text)


def _areas(story: Story) -> str:
    if not story.legend:
        return ""
    shown, means = largest_classes(story), story.areas.mean(axis=0)
    items = [("area", story.legend[i].colour, story.legend[i].name) for i in shown]
    if len(story.legend) > MOST_CLASSES:
        items.append(("area", OTHER_COLOUR, "other classes"))
    shares = ", ".join(f"{story.legend[i].name} {percent(means[i])}" for i in shown[:3])
    text = f"How much of the picture each class covers. The largest on average: {shares}."
    return _figure("Area of each class", area_chart, story, items + _cuts(story), text)


def _marks(story: Story) -> list[_Item]:
    warmup: list[_Item] = [("area", "var(--warmup)", "warm-up")] if story.warmup else []
    looks: list[_Item] = [("tick", "var(--muted)", "second look")] if story.looks else []
    return warmup + _cuts(story) + looks


def _cuts(story: Story) -> list[_Item]:
    return [("dash", "var(--cut)", "another scene")] if story.cuts else []


def _figure(
    heading: str,
    chart: Callable[[Story, int], str],
    story: Story,
    items: Iterable[_Item],
    text: str,
) -> str:
    wide, narrow = (chart(story, width) for width in WIDTHS)
    return (
        f'<figure class="chart"><h3>{escape(heading)}</h3>{key(items)}'
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def _mean(shares: Iterable[float]) -> str:
    known = [share for share in shares if not np.isnan(share)]
    return percent(float(np.mean(known))) if known else "not known"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
