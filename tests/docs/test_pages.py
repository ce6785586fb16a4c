"""What pages and docstrings become before they are shown."""

import pytest

from tools.site_pages import on_page_markdown, without_outer_links


@pytest.mark.parametrize(
    ("page", "text", "shown"),
    [
        ("a.md", "[b](b.md#c)", "[b](b.md#c)"),
        ("a.md", "[b](http://x/../y)", "[b](http://x/../y)"),
        ("a.md", "[its card](../adapters/README.md)", "its card (`adapters/README.md`)"),
        ("api/a.md", "[b](../b.md)", "[b](../b.md)"),
        ("api/a.md", "[b](../../tools/b.py)", "b (`tools/b.py`)"),
    ],
)
def test_only_links_that_leave_the_pages_are_written_out(page: str, text: str, shown: str) -> None:
    assert without_outer_links(text, page) == shown


def test_fences_are_such_as_are_known() -> None:
    class File:
        src_uri = "a.md"

    class Page:
        file = File()

    text = "```python no-run\nx\n```\n```text\ny\n```"
    shown = "```python\nx\n```\n```{.text .drawing}\ny\n```"
    assert on_page_markdown(text, Page(), config=None) == shown


def test_formulas_become_mathml() -> None:
    pytest.importorskip("griffe", reason="not installed: make test-docs")
    pytest.importorskip("latex2mathml", reason="not installed: make test-docs")
    from tools.site_api import mathml, with_formulas

    shown = with_formulas("Loss.\n\n.. math:: a = b,\n    c\n\nWith :math:`warp(x)` in it.\n")
    assert shown.startswith('Loss.\n\n<div class="formula"><math display="block">')
    assert "<mi>c</mi></mrow></math></div>\n\nWith <span><math" in shown
    assert "<mi>warp</mi>" in shown
    assert ".. math" not in with_formulas("X.\n\n.. math::\n    a = b\n")
    with pytest.raises(ValueError, match="cannot be shown"):
        mathml(r"\nosuchcommand x")
