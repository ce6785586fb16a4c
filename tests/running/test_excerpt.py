"""Which frames of a video are taken."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.running.excerpt import Excerpt, parse_seconds

SECONDS = st.fractions(min_value=0, max_value=20, max_denominator=8)


@given(
    st.lists(st.fractions(min_value=Fraction(1, 90), max_value=2), max_size=30),
    st.fractions(min_value=-5, max_value=5),
    SECONDS,
    st.none() | SECONDS,
    st.integers(1, 5),
)
def test_it_takes_what_lies_between(
    steps: list[Fraction], begin: Fraction, start: Fraction, length: Fraction | None, stride: int
) -> None:
    times = [begin + sum(steps[:k], Fraction(0)) for k in range(len(steps) + 1)]
    end = None if not length else start + length
    taken = list(Excerpt(start, end, stride).of((time, k) for k, time in enumerate(times)))
    inside = [
        (time, k)
        for k, time in enumerate(times)
        if time - begin >= start and (end is None or time - begin < end)
    ]
    assert taken == inside[::stride]


def test_nothing_is_read_after_the_end() -> None:
    def frames() -> Iterator[tuple[Fraction, int]]:
        for k in range(3):
            yield Fraction(k), k
        raise AssertionError("read on")

    assert list(Excerpt(end=Fraction(2)).of(frames())) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"start": Fraction(-1)}, "start is -1 s; expected at least 0"),
        ({"start": Fraction(3), "end": Fraction(3)}, "end is 3 s; expected more than the start"),
        ({"stride": 0}, "stride is 0"),
    ],
)
def test_excerpts_that_are_none(values: dict[str, Fraction], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Excerpt(**values)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", Fraction(0)),
        ("2.5", Fraction(5, 2)),
        ("1:30", Fraction(90)),
        ("1:02:03.25", Fraction(14893, 4)),
    ],
)
def test_times(text: str, seconds: Fraction) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "now", "-1", "1:", ":5", "1e3", "1/2", "nan", "1.2.3"])
def test_texts_that_are_no_time(text: str) -> None:
    with pytest.raises(InputError, match="is no time; expected seconds"):
        parse_seconds(text)
