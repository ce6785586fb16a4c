"""Names of folders of results stay inside of the output folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.batch.names import check_name, safe_name
from ditta_adapt.errors import InputError


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", "C:", ".hidden"),
        *("a\0b", "a\nb", " a", "a ", "x" * 201, "\ud800", "overview.html", "results.parquet"),
    ],
)
def test_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a folder"):
        check_name(name)


@pytest.mark.parametrize("name", ["clip-7", "Straße 1 (abend)", "a.b", "日本", "x" * 200])
def test_taken(name: str) -> None:
    assert check_name(name) == name
    assert safe_name(name) == name


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_becomes_one_component_or_is_refused(text: str) -> None:
    try:
        name = safe_name(text)
    except InputError:
        return
    assert check_name(name) == name
    assert Path("out", name).resolve().parent == Path("out").resolve()
    assert safe_name(name) == name


def test_what_is_cut_ends_as_if_it_had_been_short() -> None:
    assert safe_name("x" * 199 + ": more") == "x" * 199
    assert safe_name("x" * 198 + " : more") == "x" * 198


def test_parts_of_a_path_are_told_apart() -> None:
    assert safe_name("day 1/clip?7") == "day 1-clip-7"
    assert safe_name("../../etc/passwd") == "etc-passwd"
    with pytest.raises(InputError):
        safe_name("///")
