import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.evaluation import Warmup, parse_warmup
from ditta_adapt.running.warmup import show_warmup


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10%", 0.1),
        ("0.1", 0.1),
        (".25", 0.25),
        ("100%", 1.0),
        ("1.0", 1.0),
        ("1", 1),
        ("8", 8),
        ("8 frames", 8),
        ("0", 0),
        ("0%", 0.0),
    ],
)
def test_shares_and_numbers_of_frames(text: str, expected: Warmup) -> None:
    found = parse_warmup(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["", "ten", "8 f", "1 %%", "%", "10%5", "nan", "nan%", "-", "8,5"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a share of the video, such as 10% or 0\.1, or"):
        parse_warmup(text)


@pytest.mark.parametrize("text", ["1.5", "-0.1", "-3", "150%", "12.5%", "0.125", "inf"])
def test_shares_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match="whole percentage"):
        parse_warmup(text)


@given(st.integers(0, 10**6) | st.integers(0, 100).map(lambda percent: percent / 100))
def test_what_is_shown_is_read_as_the_same(warmup: Warmup) -> None:
    again = parse_warmup(show_warmup(warmup))
    assert again == warmup
    assert type(again) is type(warmup) or warmup == 0


def test_one_is_not_all() -> None:
    assert [show_warmup(warmup) for warmup in (1, 1.0, 2, 0.1, 0)] == [
        "1 frame",
        "100%",
        "2 frames",
        "10%",
        "0%",
    ]
