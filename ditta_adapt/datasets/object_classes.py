"""Which classes of a model the annotated object of a video is made of."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ditta_adapt.datasets.layout import need_file
from ditta_adapt.errors import InputError


def read_object_classes(
    source: str | Path | Mapping[str, Sequence[str | int]],
) -> dict[str, list[str | int]]:
    """Names or ids of classes for each video, from a mapping or a TOML or JSON file of one.

        horsejump-high = ["horse", "person"]

    Raises:
        InputError: the file is missing or malformed, names no video, or the classes of a video
            are not a list of names and ids with at least one entry.
    """
    table: Any = source if isinstance(source, Mapping) else _read_table(Path(source))
    shown = "classes" if isinstance(source, Mapping) else str(source)
    if not isinstance(table, Mapping) or not table:
        raise InputError(f"{shown} names no video; expected a table from videos to classes.")
    for name, entry in table.items():
        is_list = isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry) > 0
        if not is_list or any(type(item) not in (str, int) for item in entry):
            raise InputError(
                f"{shown}: {name} is {entry!r}; expected a list of names or ids of the model's "
                "classes, at least one."
            )
    return {name: list(entry) for name, entry in table.items()}


def class_ids(classes: Sequence[str | int], model_classes: Sequence[str] | int) -> list[int]:
    """Ids of classes given by name or id.

    Args:
        classes: names and ids.
        model_classes: names of the model's classes in the order of their ids, or their number.

    Raises:
        InputError: the model has no such class, has several of that name, or has no names.
    """
    names = () if isinstance(model_classes, int) else tuple(model_classes)
    count = model_classes if isinstance(model_classes, int) else len(names)
    ids = []
    for item in classes:
        if isinstance(item, str):
            found = [index for index, name in enumerate(names) if name == item]
            if not names:
                raise InputError(
                    f"{item!r} is the name of a class, but of the model only the number of classes "
                    "is known; expected model_classes to be their names."
                )
            if len(found) != 1:
                raise InputError(
                    f"the model has {len(found) or 'no'} classes called {item!r}; expected one of "
                    f"{', '.join(names)}, or an id."
                )
            ids.append(found[0])
        elif 0 <= item < count:
            ids.append(item)
        else:
            raise InputError(f"the model has no class {item}; expected an id in [0, {count}).")
    return ids


def _read_table(path: Path) -> Any:
    need_file(path, "a TOML or JSON table from videos to classes")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise InputError(f"{path} cannot be read as {kind}: {error}") from error
