"""The fourteen names, their strengths, and how they are written."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.corruptions import (
    STRENGTH_NAMES,
    Corruption,
    corruption_names,
    parse_corruption,
)
from ditta_adapt.errors import InputError


def test_there_are_fourteen_and_ten_of_them_can_be_applied() -> None:
    everything, runnable = corruption_names(), corruption_names(include_styles=False)
    assert len(set(everything)) == len(everything) == 14
    assert set(everything) - set(runnable) == {"style1", "style2", "style3", "style4"}
    assert len(runnable) == 10


@pytest.mark.parametrize("name", corruption_names())
@pytest.mark.parametrize(("word", "number"), [("low", "1"), ("med", "2"), ("high", "3")])
def test_words_and_numbers_mean_the_same(name: str, word: str, number: str) -> None:
    by_word = parse_corruption(f"{name}:{word}")
    assert by_word == parse_corruption(f"{name}:{number}") == Corruption(name, word)
    assert (by_word.name, by_word.strength, str(by_word)) == (name, word, f"{name}:{word}")


@pytest.mark.parametrize("text", ["", "contrast", "gaussian_noise high", "contrast-3"])
def test_text_of_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"name:strength, such as gaussian_noise:high.*pixelate"):
        parse_corruption(text)


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="None is no corruption"):
        parse_corruption(None)  # type: ignore[arg-type]


def test_unknown_names_and_strengths_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'fog'; there are gaussian_noise, .*style4"):
        parse_corruption("fog:low")
    for strength in ("", "0", "4", "medium", "low:1", " low"):
        with pytest.raises(InputError, match=r"no strength .* there are low, med, high"):
            parse_corruption(f"contrast:{strength}")
    with pytest.raises(InputError, match="no strength 'severe'"):
        Corruption("contrast", "severe")


@settings(max_examples=40)
@given(st.text(string.printable))
def test_any_text_is_a_corruption_or_an_input_error(text: str) -> None:
    try:
        found = parse_corruption(text)
    except InputError:
        return
    assert found.name in corruption_names()
    assert found.strength in STRENGTH_NAMES
