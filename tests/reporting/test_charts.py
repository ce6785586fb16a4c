import re
from collections.abc import Callable
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from ditta_adapt.reporting.charts import (
    OTHER_COLOUR,
    WIDTHS,
    area_bands,
    area_chart,
    change_chart,
    largest_classes,
    reliability_chart,
    speaker_chart,
)
from ditta_adapt.reporting.story import LegendEntry, Story
from tests.reporting.stories import least_story, street_story

CHARTS = (change_chart, reliability_chart, speaker_chart, area_chart)
STREET = street_story(12, size=(48, 80))
each_chart = pytest.mark.parametrize("chart", CHARTS)

Chart = Callable[[Story, int], str]


@each_chart
def test_settings_of_matplotlib_neither_matter_nor_change(chart: Chart) -> None:
    usual = chart(STREET, 360)
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert chart(STREET, 360) == usual
        assert dict(matplotlib.rcParams) == before


@each_chart
def test_colours_and_letters_are_those_of_the_page(chart: Chart) -> None:
    svg = chart(STREET, 800)
    colours = {entry.colour for entry in STREET.legend}
    assert "var(--muted)" in svg
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= colours
    assert "font:" not in svg
    assert "<text" in svg


@each_chart
def test_is_an_element_with_a_name_and_no_style_of_its_own(chart: Chart) -> None:
    svg = chart(STREET, 800)
    assert svg.startswith('<svg role="img" aria-label="')
    assert "<style" not in svg
    assert "<g id=" not in svg


@each_chart
@pytest.mark.parametrize("width", WIDTHS)
def test_least_story(chart: Chart, width: int) -> None:
    assert chart(least_story(), width).startswith("<svg")


@each_chart
def test_names_differ_between_charts_of_a_page(chart: Chart) -> None:
    names = [set(re.findall(r' id="([^"]+)"', chart(STREET, width))) for width in WIDTHS]
    others = [set(re.findall(r' id="([^"]+)"', other(STREET, 800))) for other in CHARTS]
    assert not names[0] & names[1]
    assert sum(map(len, others)) == len(set().union(*others))


@each_chart
def test_a_long_video_makes_no_larger_a_chart(chart: Chart) -> None:
    assert len(chart(long_story(10_000), 800)) < 70_000


def test_all_but_cuts_fit_the_axis() -> None:
    calm = replace(STREET, changed=[float("nan"), *[0.02] * 11], changed_before={}, cuts=[])
    jump = replace(calm, changed=[*calm.changed[:6], 0.9, *calm.changed[7:]])
    assert "100 %" not in change_chart(calm, 800)
    assert "75 %" in change_chart(jump, 800)
    assert "75 %" not in change_chart(replace(jump, cuts=[6]), 800)


def test_classes_beyond_the_largest_share_a_colour() -> None:
    generator = np.random.default_rng(0)
    areas = generator.dirichlet(np.ones(12), size=5)
    legend = [LegendEntry(f"class {i}", f"#0000{i:02x}", i) for i in range(12)]
    story = replace(STREET, areas=areas, legend=legend)
    bands = area_bands(story)
    means = areas.mean(axis=0)
    assert largest_classes(story) == sorted(range(12), key=lambda i: -means[i])[:8]
    assert [colour for colour, _ in bands[:-1]] == [
        legend[i].colour for i in largest_classes(story)
    ]
    assert bands[-1][0] == OTHER_COLOUR
    np.testing.assert_allclose(sum(share for _, share in bands), 1)


def test_a_colour_of_a_class_is_taken_for_no_other() -> None:
    story = replace(least_story(), legend=[LegendEntry("road", "#010100", 0)])
    assert "fill: #010100" in area_chart(story, 360)


def long_story(frames: int) -> Story:
    """A long video of many classes, speakers, looks and cuts."""
    generator = np.random.default_rng(0)
    shares = generator.uniform(0, 0.1, frames).tolist()
    return replace(
        least_story(),
        times=[index / 25 for index in range(frames)],
        warmup=64,
        speakers=generator.choice(["adapted", "memory", "image model"], frames).tolist(),
        looks=range(64, frames, 8),
        cuts=range(500, frames, 500),
        changed=[float("nan"), *shares[1:]],
        changed_before=dict(enumerate(shares)),
        changed_after=dict(enumerate(shares)),
        reliability=dict(enumerate(shares)),
        areas=generator.dirichlet(np.ones(12), size=frames),
        legend=[LegendEntry(f"class {i}", f"#0000{i:02x}", i) for i in range(12)],
    )
