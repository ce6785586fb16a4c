"""Pieces of HTML; every text that is put into them is escaped here."""

import base64
import math
from collections.abc import Iterable
from html import escape
from io import BytesIO

from ditta_adapt.io.optional import require


def section(name: str, heading: str, body: str) -> str:
    """A part of the page with a heading; nothing where it has no content.

    Args:
        name: of the part in links and styles.
        heading: its text.
        body: HTML.
    """
    if not body:
        return ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-heading">'
        f'<h2 id="{name}-heading">{escape(heading)}</h2>{body}</section>'
    )


def image(
    file: bytes, alt: str, *, size: tuple[int, int], kind: str = "", lazy: bool = True
) -> str:
    """A picture that is part of the page.

    Args:
        file: JPEG or PNG.
        alt: what it shows, for those who do not see it.
        size: its width and height, so that nothing moves when it is decoded.
        kind: CSS class.
        lazy: whether it may be decoded when it comes into view.
    """
    form = "jpeg" if file.startswith(b"\xff\xd8") else "png"
    code = base64.b64encode(file).decode("ascii")
    return (
        f'<img class="{kind}" alt="{escape(alt)}" width="{size[0]}" height="{size[1]}"'
        f'{" loading=lazy" if lazy else ""} src="data:image/{form};base64,{code}">'
    )


def picture_size(file: bytes) -> tuple[int, int]:
    """Width and height of a JPEG or PNG file.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    width, height = require("PIL.Image").open(BytesIO(file)).size
    return int(width), int(height)


def key(items: Iterable[tuple[str, str, str]]) -> str:
    """What the colours and marks of a picture mean.

    Args:
        items: mark (`line`, `dash`, `dot`, `area` or `tick`), CSS colour and text of each.
    """
    entries = "".join(
        f'<li><i class="mark {mark}" style="--colour: {escape(colour)}"></i>{escape(text)}</li>'
        for mark, colour, text in items
    )
    return f'<ul class="key">{entries}</ul>'


def table(heading: str, rows: Iterable[tuple[str, str]]) -> str:
    """Names and values under a heading, in a box that scrolls where it is too wide."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return (
        f'<div class="table"><table><caption>{escape(heading)}</caption>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def percent(share: float) -> str:
    """A share in [0, 1] for people, such as `3.1 %`; NaN is `not known`."""
    if math.isnan(share):
        return "not known"
    digits = 1 if share >= 0.01 or share == 0 else 2
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def seconds(time: float) -> str:
    """Seconds for people, such as `1.48 s`."""
    return f"{time:.2f}\N{NO-BREAK SPACE}s"
