import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from ditta_adapt.reporting.page import render_page
from ditta_adapt.reporting.story import LegendEntry, Story
from tests.reporting.stories import least_story, street_story

STREET = street_story(20, size=(96, 160))
PAGE = render_page(STREET)
SECTIONS = ["verdict", "compare", "flicker", "time", "classes", "taught", "facts"]
# Elements that have no end.
VOID = {"meta", "link", "img", "input", "br"}


class Tree(HTMLParser):
    """Elements and texts of a page; each element that begins ends in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of the elements of one kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def test_same_story_same_text() -> None:
    assert render_page(STREET) == PAGE


def test_parts_are_in_order() -> None:
    assert [part["id"] for part in Tree(PAGE).all("section")] == SECTIONS


def test_asks_no_server() -> None:
    tree = Tree(PAGE)
    # What is no data is a part of the page itself.
    for _, attributes in tree.elements:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    assert "@import" not in PAGE
    assert not re.search(r"url\([\"']?http", PAGE)


def test_every_picture_is_there_once_and_has_words() -> None:
    pictures = [file for each in STREET.samples for file in (each.frame, each.before, each.after)]
    pictures += [file for each in STREET.taught for file in (each.frame, each.labels)]
    images = Tree(PAGE).all("img")
    for file in set(pictures):
        code = base64.b64encode(file).decode()
        assert PAGE.count(code) == pictures.count(file)
    assert all(image["alt"] and image["width"] and image["height"] for image in images)
    assert len(images) == len(pictures) + 2


def test_a_name_is_given_once() -> None:
    names = [attributes["id"] for _, attributes in Tree(PAGE).elements if "id" in attributes]
    assert len(names) == len(set(names))


def test_says_what_it_shows() -> None:
    text = Tree(PAGE).text.replace("\N{NO-BREAK SPACE}", " ")
    for line in (STREET.verdict, *STREET.evidence, "WarpedVotes(decay=0.85)", "vegetation"):
        assert line in text
    before = 100 * np.mean(list(STREET.changed_before.values()))
    after = 100 * np.mean(list(STREET.changed_after.values()))
    assert f"{before:.1f} % before, {after:.1f} % after" in text
    flicker = 100 * STREET.flicker_before.mean()  # type: ignore[union-attr]
    assert f"changes {flicker:.1f} % of the time on average" in text


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&${title}"


def test_texts_of_others_stay_texts() -> None:
    evil = replace(
        STREET,
        title=EVIL,
        verdict=EVIL,
        evidence=[EVIL],
        legend=[LegendEntry(EVIL, '"><script>', e.index) for e in STREET.legend],
        speakers=[EVIL] * len(STREET.speakers),
        facts={EVIL: {EVIL: EVIL}},
    )
    usual, tree = Tree(PAGE), Tree(render_page(evil))
    assert len(tree.all("script")) == len(usual.all("script")) == 1
    assert len(tree.all("img")) == len(usual.all("img"))
    assert tree.text.count(EVIL) >= 8


def test_least_story() -> None:
    tree = Tree(render_page(least_story()))
    assert [part["id"] for part in tree.all("section")] == ["verdict", "time", "classes"]
    assert tree.all("img") == []


@pytest.mark.parametrize(
    ("missing", "part"),
    [
        ({"samples": ()}, "compare"),
        ({"flicker_before": None, "flicker_after": None}, "flicker"),
        ({"taught": ()}, "taught"),
        ({"facts": {}}, "facts"),
        ({"legend": (), "areas": np.ones((20, 0))}, "classes"),
    ],
)
def test_what_is_missing_is_left_out(missing: dict[str, object], part: str) -> None:
    sections = [each["id"] for each in Tree(render_page(replace(STREET, **missing))).all("section")]
    assert sections == [name for name in SECTIONS if name != part]


@pytest.mark.parametrize("known", ["flicker_before", "flicker_after"])
def test_one_map_alone(known: str) -> None:
    maps = {"flicker_before": None, "flicker_after": None, known: getattr(STREET, known)}
    story = replace(least_story(), **maps)
    assert len(Tree(render_page(story)).all("img")) == 1


@pytest.mark.parametrize("frames", [1, 2])
def test_short_videos(frames: int) -> None:
    story = street_story(frames, size=(32, 48))
    ranges = [each for each in Tree(render_page(story)).all("input") if each["class"] == "scrub"]
    # A single frame needs no scrubber.
    assert ranges == []


def test_more_than_the_pictures_is_little() -> None:
    without = replace(STREET, samples=(), taught=())
    assert len(render_page(without)) < 250_000
    pictures = sum(len(each.frame + each.before + each.after) for each in STREET.samples)
    pictures += sum(len(each.frame + each.labels) for each in STREET.taught)
    assert len(PAGE) < 250_000 + 1.34 * pictures


def test_matplotlib_is_imported_when_needed_and_pyplot_never() -> None:
    program = (
        "import sys, ditta_adapt, ditta_adapt.reporting.page as page\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.reporting.stories import least_story\n"
        "page.render_page(least_story())\n"
        "assert 'matplotlib' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_long_video_of_many_classes() -> None:
    count = 10_000
    areas = np.random.default_rng(0).dirichlet(np.ones(150), size=count)
    story = replace(
        long_of(least_story(), count),
        areas=areas,
        legend=[LegendEntry(f"class {i}", f"#0000{i:02x}", i) for i in range(150)],
    )
    page = render_page(story)
    assert len(page) < 300_000
    assert "mean of consecutive frames" in page
    assert "other classes" in page


def long_of(story: Story, count: int) -> Story:
    """The same with more frames."""
    generator = np.random.default_rng(0)
    return replace(
        story,
        times=[index / 25 for index in range(count)],
        speakers=generator.choice(["adapted", "image model"], count).tolist(),
        changed=[float("nan"), *generator.uniform(0, 0.1, count - 1).tolist()],
        areas=np.ones((count, 1)),
        looks=range(8, count, 8),
    )
