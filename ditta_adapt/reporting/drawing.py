"""A chart as SVG for an HTML page: in the page's own colours and letters."""

import re
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import Any

from ditta_adapt.io.optional import require

FONT_SIZE = 12
# Around the axes, in pixels: left, right, bottom, top; the same for all charts, so that times of
# charts above each other are in line.
_LEFT, _RIGHT, _BOTTOM, _TOP = 52, 12, 30, 8
# Stands for a colour of the page until the SVG is written; two digits count.
_STAND_IN = "#0101"


class Drawing:
    """Axes to be drawn on, and the colours of the page as ones that Matplotlib knows.

    Attributes:
        axes: of Matplotlib.
        width: of the chart, in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        # At 72 dots an inch a point is a pixel.
        size = (width / 72, height / 72)
        self._figure = require("matplotlib.figure").Figure(figsize=size, dpi=72)
        self._colours: list[str] = []
        inner = (width - _LEFT - _RIGHT, height - _BOTTOM - _TOP)
        self.axes: Any = self._figure.add_axes(
            (_LEFT / width, _BOTTOM / height, inner[0] / width, inner[1] / height)
        )
        self._style_axes()

    def colour(self, css: str) -> str:
        """For Matplotlib, a colour of CSS such as `var(--ink)` or `#rrggbb`; at most 256."""
        if css not in self._colours:
            self._colours.append(css)
        return f"{_STAND_IN}{self._colours.index(css):02x}"

    def svg(self, label: str) -> str:
        """The chart as an element of HTML; `label` names it for those who do not see it."""
        text = StringIO()
        self._figure.patch.set_visible(False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        require("matplotlib.backends.backend_svg").FigureCanvasSVG(self._figure).print_svg(
            text, metadata=nothing
        )
        return self._for_page(text.getvalue(), label)

    def _style_axes(self) -> None:
        ink, grid = self.colour("var(--muted)"), self.colour("var(--grid)")
        self.axes.patch.set_visible(False)
        self.axes.spines[["top", "right", "left"]].set_visible(False)
        self.axes.spines["bottom"].set_color(grid)
        self.axes.tick_params(length=0, pad=6, labelcolor=ink, labelsize=FONT_SIZE)
        self.axes.tick_params(axis="x", pad=11)
        self.axes.grid(axis="y", color=grid, linewidth=1)
        self.axes.set_axisbelow(True)

    def _for_page(self, svg: str, label: str) -> str:
        """What HTML needs of an SVG file: no names twice in a page, its letters and colours."""
        svg = svg[svg.index("<svg") :]
        svg = re.sub(
            r"<svg [^>]*?viewBox=",
            f'<svg role="img" aria-label="{escape(label)}" viewBox=',
            svg,
            count=1,
            flags=re.DOTALL,
        )
        svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
        svg = re.sub(r'<g id="[^"]*"', "<g", svg)
        svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
        svg = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.1f}", svg)
        svg = re.sub(
            _STAND_IN + r"([0-9a-f]{2})",
            lambda found: escape(self._colours[int(found[1], 16)]),
            svg,
        )
        return re.sub(r"\n\s*", "\n", svg)


def draw(name: str, label: str, size: tuple[int, int], paint: Callable[[Drawing], None]) -> str:
    """Draw a chart.

    The same chart gives the same text, whatever the settings of Matplotlib are, which are left as
    they were.

    Args:
        name: of the chart, another one for every chart of a page.
        label: see `Drawing.svg`.
        size: width and height in pixels.
        paint: draws on the axes.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
    """
    own = {"svg.fonttype": "none", "svg.hashsalt": f"{name}-{size[0]}"}
    with require("matplotlib.style").context(["default", own]):
        drawing = Drawing(*size)
        paint(drawing)
        return drawing.svg(label)
