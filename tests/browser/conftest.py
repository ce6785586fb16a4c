"""These tests run where `make test-browser` has put Playwright on the path, with Chromium."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from ditta_adapt.reporting.page import render_page
from tests.reporting.stories import least_story, overview_page, street_story

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
MISSING = [] if find_spec("playwright") is not None else ["Playwright: make test-browser brings it"]
MISSING += [] if CHROMIUM else ["Chromium: apt-get install chromium brings it"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason=f"no {'; no '.join(MISSING)}"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of a usual story, one of the least, and one of many videos, as files."""
    folder = tmp_path_factory.mktemp("pages")
    stories = {"street": street_story(), "least": least_story()}
    for name, story in stories.items():
        (folder / f"{name}.html").write_text(render_page(story), "utf-8")
    (folder / "overview.html").write_text(overview_page(), "utf-8")
    return {name: folder / f"{name}.html" for name in (*stories, "overview")}


@pytest.fixture
def show(browser: Any, files: dict[str, Path]) -> Iterator[Callable[..., Any]]:
    """Opens a page, in a browser with these options; no complaint, and nothing is asked for."""
    complaints: list[str] = []
    contexts = []

    def opened(name: str = "street", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        address = files[name].as_uri()

        def judge(route: Any) -> None:
            if route.request.url == address:
                route.continue_()
            else:
                complaints.append(f"asked for {route.request.url}")
                route.abort()

        context.route("**/*", judge)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
