"""The page on the method names what there is, with the numbers that are in the code."""

import re

import ditta_adapt
from ditta_adapt import AdaptConfig
from tools import draw_presets, draw_stages
from tools.page import exists, missing_paths, names_in

PAGE = draw_stages.PAGE.read_text("utf-8")
EQUATIONS = re.split(r"^### ", PAGE.partition("\n## What ")[0], flags=re.M)[1:]


def test_the_drawing_is_up_to_date() -> None:
    assert draw_stages.drawn(PAGE) == PAGE, "run python -m tools.draw_stages"


def test_the_table_is_up_to_date() -> None:
    assert draw_presets.drawn(PAGE) == PAGE, "run python -m tools.draw_presets"


def test_every_step_of_the_drawing_exists() -> None:
    for stage in draw_stages.STAGES:
        for step in stage.steps:
            assert exists(step.by), step
            assert not step.option or step.option in ditta_adapt.__all__, step
    assert [stage.letter for stage in draw_stages.STAGES] == ["A", "B", "C", "D"]


def test_everything_the_page_names_exists() -> None:
    assert [name for name in names_in(PAGE) if not exists(name)] == []
    assert missing_paths(PAGE) == []


def test_every_equation_has_a_formula_and_says_where_it_is_computed() -> None:
    assert [part[:5] for part in EQUATIONS] == [f"Eq. {number}" for number in range(1, 9)]
    for part in EQUATIONS:
        assert re.search(r"^    .+ = ", part, re.M), part
        places = re.findall(r"`([\w.]+)`\s+in\s+`(ditta_adapt/[\w/]+\.py)`", part)
        assert places, part
        for name, path in places:
            module = path.removesuffix(".py").replace("/", ".")
            assert f"ditta_adapt.{name}".rpartition(".")[0] == module, name


def test_numbers_are_those_of_the_code() -> None:
    """Each as `Record.field = value`, the default."""
    stated = re.findall(r"`(\w+)\.(\w+) = ([^`]+)`", PAGE)
    assert len(stated) > 10
    for record, field, value in stated:
        assert str(getattr(getattr(ditta_adapt, record)(), field)) == value, f"{record}.{field}"


def test_what_is_said_of_the_paper_preset_holds() -> None:
    paper = AdaptConfig.paper()
    assert "5 passes over the warm-up" in PAGE
    assert paper.training.passes == 5
    assert "0.8 in `AdaptConfig.paper()`" in PAGE
    assert getattr(paper.targets, "rarity_weight", None) == 0.8
    assert paper.training.module_mode == "train"
    assert getattr(paper.memory, "through_previous_frame", None) is True
    assert paper.safety is None
