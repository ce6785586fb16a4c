"""The overview of many videos as one HTML file: what needs a look first, each with its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote

from ditta_adapt.reporting.markup import percent, section

MOST_ROWS = 2000
"""More would make the page slow; the table for programs has them all."""


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One video.

    Attributes:
        name: of its folder beside the page.
        status: in a word or two.
        concern: why it needs a look; empty if it does not.
        frames: labelled; none if it has no results.
        seconds: that it took; none likewise.
        before: flicker of the image model alone, in [0, 1]; none if that is not known.
        after: likewise, with the video model.
        page: whether its folder has a `report.html`.
    """

    name: str
    status: str
    concern: str = ""
    frames: int | None = None
    seconds: float | None = None
    before: float | None = None
    after: float | None = None
    page: bool = False


def render_overview(title: str, summary: str, rows: Sequence[OverviewRow]) -> str:
    """The page as text, to be written as UTF-8 beside the folders of the videos.

    Args:
        title: of the batch.
        summary: what came of it, in lines.
        rows: what needs a look first; of very many, the first ones are shown.
    """
    shown = rows[:MOST_ROWS]
    lead, *more = summary.splitlines() or [""]
    evidence = "".join(f"<li>{escape(line.strip())}</li>" for line in more)
    verdict = f'<p class="lead">{escape(lead)}</p>' + (f"<ul>{evidence}</ul>" if evidence else "")
    left = len(rows) - len(shown)
    rest = f"<p>{left} more are in the results for programs.</p>" if left else ""
    sections = section("verdict", "In short", verdict)
    sections += section("videos", "Videos", _INTRODUCTION + _table(shown) + rest)
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        style=_asset("page.css") + _asset("overview.css"),
        script=_asset("overview.js"),
        summary=f"{len(rows)} video{'' if len(rows) == 1 else 's'}",
        sections=sections,
    )


_INTRODUCTION = (
    "<p>What needs a look comes first. Flicker is the share of labels that change from frame to "
    "frame, motion taken out, with the image model alone (before) and with the video model.</p>"
)
_WORDS = ("Video", "Status", "Why look")
_NUMBERS = ("Frames", "Seconds", "Flicker before", "after")


def _table(rows: Sequence[OverviewRow]) -> str:
    heads = "".join(
        f'<th scope="col" class="{_kind(heading)}">'
        f'<button type="button" data-column="{index}">{heading}</button></th>'
        for index, heading in enumerate(_WORDS + _NUMBERS)
    )
    body = "".join(map(_row, rows))
    return (
        f'<div class="table overview"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _kind(heading: str) -> str:
    return "number" if heading in _NUMBERS else "word"


def _row(row: OverviewRow) -> str:
    name = escape(row.name)
    if row.page:
        # A colon or a percent sign is none of an address's own.
        name = f'<a href="{escape(quote(row.name))}/report.html">{name}</a>'
    cells = [
        _cell(name, row.name),
        _cell(escape(row.status), row.status),
        _cell(escape(row.concern), row.concern),
        _number("" if row.frames is None else f"{row.frames}", row.frames),
        _number("" if row.seconds is None else f"{row.seconds:.1f}", row.seconds),
        _number("" if row.before is None else percent(row.before), row.before),
        _number("" if row.after is None else percent(row.after), row.after),
    ]
    mark = ' class="look"' if row.concern else ""
    return f"<tr{mark}>{''.join(cells)}</tr>"


def _cell(content: str, value: str) -> str:
    return f'<td data-value="{escape(value)}">{content}</td>'


def _number(content: str, value: float | None) -> str:
    return f'<td class="number" data-value="{"" if value is None else value}">{content}</td>'


def _asset(name: str) -> str:
    return files("ditta_adapt.reporting").joinpath(name).read_text("utf-8")
