"""The order in which people number files: frame2 before frame10."""

import re


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key: runs of digits count as numbers, the text between them as text.

    Names of equal value, such as `f1` and `f01`, are ordered as text.
    """
    parts = re.split("([0-9]+)", name)
    # Text and digits take turns, text first, so that like is compared with like.
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
