import math

import pytest

from ditta_adapt.reporting.markup import key, percent, section, table


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (0.031, "3.1 %"), (0.00042, "0.04 %"), (1, "100.0 %"), (math.nan, "not known")],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def test_what_has_no_content_is_no_part() -> None:
    assert section("facts", "Facts", "") == ""


def test_texts_are_escaped() -> None:
    for html in (key([("line", '">', "<b>")]), table("<b>", [("<i>", '"&')])):
        assert "<b>" not in html
        assert "<i>" not in html
        assert '">"' not in html
