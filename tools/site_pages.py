"""The documentation as a site: what `mkdocs.yml` needs beyond its settings (a hook of MkDocs)."""

import re
from pathlib import PurePosixPath
from typing import Any

# A word of our own for readers and tests, which Markdown's fences do not know.
_NO_RUN = re.compile(r"^```python no-run$", re.M)
_DRAWING = re.compile(r"^```text$", re.M)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)\s#]+)[^)\s]*\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page as MkDocs takes it: known fences, and no links to files outside of `docs/`."""
    inner = without_outer_links(markdown, page.file.src_uri)
    return _DRAWING.sub("```{.text .drawing}", _NO_RUN.sub("```python", inner))


def without_outer_links(markdown: str, page: str) -> str:
    """The page with links that leave the folder of the documentation written out as paths.

    Where the files lie together, such links work; the site has no such files.

    Args:
        markdown: the text of the page.
        page: its path from the folder of the documentation.
    """

    def written(link: re.Match[str]) -> str:
        levels = len(PurePosixPath(page).parent.parts)
        steps = PurePosixPath(link[2]).parts
        leaving = [step for step in steps if step == ".."]
        if len(leaving) <= levels:
            return link[0]
        return f"{link[1]} (`{PurePosixPath(*steps[len(leaving) :])}`)"

    return _LINK.sub(written, markdown)
