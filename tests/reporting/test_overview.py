"""The overview of many videos."""

from html.parser import HTMLParser

from ditta_adapt.reporting.overview import MOST_ROWS, OverviewRow, render_overview


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows = 0
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.rows += tag == "tr"
        if tag == "a":
            self.links.append(found["href"] or "")
        if "src" in found:
            self.sources.append(found["src"] or "")


def test_links_to_reports_that_are_there() -> None:
    rows = [
        OverviewRow("clip 1%", "done", frames=3, seconds=1.0, before=0.2, after=0.1, page=True),
        OverviewRow("clip 2", "failed", "no video"),
    ]
    page = Page(render_overview("fleet", "1 of 2 videos are done.\n  clip 2: no video", rows))
    assert page.links == ["clip%201%25/report.html"]
    assert page.rows == 3
    assert page.sources == []


def test_every_text_is_escaped() -> None:
    evil = '<script>alert("x")</script>'
    text = render_overview(evil, f"{evil}\n{evil}", [OverviewRow(evil, evil, evil, page=True)])
    assert "alert(" not in text.replace("alert(&quot;", "")


def test_of_very_many_the_first_are_shown() -> None:
    rows = [OverviewRow(f"clip{k}", "done") for k in range(MOST_ROWS + 5)]
    text = render_overview("fleet", "done", rows)
    assert Page(text).rows == MOST_ROWS + 1
    assert "5 more are in the results for programs" in text
    assert render_overview("fleet", "", []).count("<td") == 0
