"""A report as one HTML file, which needs nothing but itself."""

from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from ditta_adapt.reporting.chart_figures import chart_figures
from ditta_adapt.reporting.heat_map import brightest, gradient, heat_map
from ditta_adapt.reporting.markup import image, percent, picture_size, seconds, section, table
from ditta_adapt.reporting.story import Story, Taught
from ditta_adapt.reporting.viewer import viewer

_OFTEN = 0.1


def render_page(story: Story) -> str:
    """The page as text, to be written as UTF-8.

    It asks no server for anything: pictures, styles and scripts are in it, each once. The same
    story gives the same text.

    Args:
        story: of at least one frame. Parts that it says nothing of are left out.

    Raises:
        MissingDependencyError: Matplotlib, which brings Pillow, is not installed.
    """
    template = Template(_asset("page.html"))
    sections = (
        section("verdict", "Verdict", _verdict(story)),
        section("compare", "Before and after", viewer(story)),
        section("flicker", "Where it flickers", _flicker(story)),
        section("time", "Over time", chart_figures(story)),
        section("classes", "Classes", _legend(story)),
        section("taught", "What the teacher saw", _taught(story)),
        section("facts", "Settings and costs", _facts(story)),
    )
    return template.substitute(
        title=escape(story.title),
        style=_asset("page.css"),
        script=_asset("page.js"),
        summary=_summary(story),
        sections="".join(sections),
    )


def _asset(name: str) -> str:
    return files("ditta_adapt.reporting").joinpath(name).read_text("utf-8")


def _summary(story: Story) -> str:
    count = len(story.times)
    text = f"{count} frame{'' if count == 1 else 's'}, {seconds(story.times[-1])}"
    return escape(f"{text}; warm-up: {story.warmup}" if story.warmup else text)


def _verdict(story: Story) -> str:
    evidence = "".join(f"<li>{escape(line)}</li>" for line in story.evidence)
    listed = f"<ul>{evidence}</ul>" if evidence else ""
    return f'<p class="lead">{escape(story.verdict)}</p>{listed}'


def _flicker(story: Story) -> str:
    both = (("Image model alone", story.flicker_before), ("Video model", story.flicker_after))
    maps = [(name, flicker) for name, flicker in both if flicker is not None]
    if not maps:
        return ""
    top = brightest(*(flicker for _, flicker in maps))
    figures = []
    for name, flicker in maps:
        mean, often = float(flicker.mean()), float((flicker > _OFTEN).mean())
        picture = heat_map(flicker, top)
        alt = f"Map of flicker, {name.lower()}: {percent(mean)} on average"
        figures.append(
            f"<figure><h3>{escape(name)}</h3>"
            f"{image(picture, alt, size=picture_size(picture))}"
            f"<figcaption>A pixel changes {percent(mean)} of the time on average; "
            f"{percent(often)} of the pixels change more than {100 * _OFTEN:g} % of it."
            "</figcaption></figure>"
        )
    more = " or more" if any(float(flicker.max()) > top for _, flicker in maps) else ""
    return (
        "<p>How often the label of a pixel differs from that of the frame before, with motion "
        f'taken out. Both maps have one scale.</p><div class="pair">{"".join(figures)}</div>'
        f'<p class="scale"><span>never</span><i style="background: {gradient()}"></i>'
        f"<span>{percent(top)} of the time{more}</span></p>"
    )


def _legend(story: Story) -> str:
    means = story.areas.mean(axis=0)
    entries = "".join(
        f'<li><i class="mark area" style="--colour: {escape(story.legend[index].colour)}"></i>'
        f"<span>{escape(story.legend[index].name)}</span><b>{percent(float(means[index]))}</b></li>"
        for index in np.argsort(-means, kind="stable")
    )
    text = "Colours in the pictures, and how much of the picture a class covers on average."
    return f'<p>{text}</p><ul class="legend">{entries}</ul>' if entries else ""


def _taught(story: Story) -> str:
    if not story.taught:
        return ""
    size = picture_size(story.taught[0].frame)
    figures = "".join(_lesson(story, each, size) for each in story.taught)
    return (
        "<p>Frames of the warm-up under the labels that the teacher gave them, from which the "
        "model learned; nothing was learned where there is no colour.</p>"
        f'<div class="gallery">{figures}</div>'
    )


def _lesson(story: Story, taught: Taught, size: tuple[int, int]) -> str:
    frame = image(taught.frame, f"Frame {taught.index} of the warm-up", size=size, kind="frame")
    alt = f"Labels of the teacher at frame {taught.index}"
    labels = image(taught.labels, alt, size=size, kind="labels")
    return (
        f'<figure><div class="lesson">{frame}{labels}</div>'
        f"<figcaption>Frame {taught.index} at {seconds(story.times[taught.index])}</figcaption>"
        "</figure>"
    )


def _facts(story: Story) -> str:
    tables = "".join(table(heading, facts.items()) for heading, facts in story.facts.items())
    return f'<div class="tables">{tables}</div>' if tables else ""
