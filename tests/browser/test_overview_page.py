"""The overview of many videos in Chromium: sorted by mouse and keys, narrow and wide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Show = Callable[..., Any]
PICTURES = Path(__file__).parents[2] / "build" / "report-pages"


def names(page: Any) -> list[str]:
    return page.locator(".overview tbody td:first-child").all_text_contents()  # type: ignore[no-any-return]


def test_what_needs_a_look_comes_first_and_links_lead_to_reports(show: Show) -> None:
    page = show("overview")
    assert names(page) == ["broken", "b 10", "a", "b 9"]
    links = page.locator(".overview a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert links == ["b%2010/report.html", "a/report.html", "b%209/report.html"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "overview.png", full_page=True)


@pytest.mark.parametrize(
    ("heading", "up", "down"),
    [
        ("Frames", ["b 9", "b 10", "a", "broken"], ["a", "b 10", "b 9", "broken"]),
        ("Seconds", ["a", "b 10", "b 9", "broken"], ["b 9", "b 10", "a", "broken"]),
        ("Video", ["a", "b 10", "b 9", "broken"], ["broken", "b 9", "b 10", "a"]),
    ],
)
def test_sorted_by_a_click(show: Show, heading: str, up: list[str], down: list[str]) -> None:
    page = show("overview")
    button = page.get_by_role("button", name=heading)
    button.click()
    assert names(page) == up
    button.click()
    assert names(page) == down
    assert page.locator("th[aria-sort]").all_text_contents() == [heading]


def test_sorted_by_keys(show: Show) -> None:
    page = show("overview")
    page.get_by_role("button", name="Frames").focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "b 9"


def test_narrow_and_dark(show: Show) -> None:
    page = show("overview", viewport={"width": 360, "height": 640}, color_scheme="dark")
    # The table scrolls in its box, the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=PICTURES / "overview-narrow.png", full_page=True)
