"""Draw every hyper-parameter of the two presets into docs/method.md, from the configuration.

python -m tools.draw_presets
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from ditta_adapt import AdaptConfig, AttentionAddon, DenseVote, MaskVote, WarpedVotes
from ditta_adapt.config.record import Record
from tools.draw_stages import PAGE
from tools.page import replace_part, rewrite

# What "auto" becomes, see `safety.resolution.resolve`.
PRESETS = {
    "default, propagator warps": AdaptConfig(targets=DenseVote(), memory=WarpedVotes()),
    "default, it tracks only": AdaptConfig(targets=MaskVote(), memory=AttentionAddon()),
    "`AdaptConfig.paper()`": AdaptConfig.paper(),
    "`AdaptConfig.as_printed()`": AdaptConfig.as_printed(),
}

_ABSENT = "–"


def drawn(page: str) -> str:
    """The page with the table of presets drawn anew."""
    return replace_part(page, "presets", table())


def table() -> str:
    """A line for each option, a column for each preset; `–` where a preset has no such option."""
    lines = [f"| option | {' | '.join(PRESETS)} |", f"|---|{'---|' * len(PRESETS)}"]
    lines += [f"| `{name}` | {' | '.join(cells)} |" for name, cells in _rows([*PRESETS.values()])]
    return "\n".join(lines)


def _rows(values: Sequence[object]) -> Iterator[tuple[str, list[str]]]:
    """Every option of the records among some values, with a cell for each of these."""
    for kind in dict.fromkeys(type(value) for value in values if isinstance(value, Record)):
        for field in fields(kind):
            inner = [getattr(v, field.name) if type(v) is kind else _ABSENT for v in values]
            yield f"{kind.__name__}.{field.name}", [_shown(value) for value in inner]
            yield from _rows(inner)


def _shown(value: object) -> str:
    if isinstance(value, Record):
        return type(value).__name__
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    rewrite(PAGE, drawn)
