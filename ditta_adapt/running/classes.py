"""What a model calls its classes, and in which colours they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ditta_adapt.errors import InputError
from ditta_adapt.reporting.palette import distinct_palette


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a model, and which of them are kept.

    Attributes:
        names: of all `C` of them.
        palette: their colours, RGB `(C, 3)` uint8.
        kept: those that labels may name, in rising order; pixels of others are `other`.
        named: whether the model says the names.
    """

    names: tuple[str, ...]
    palette: UInt8[np.ndarray, "C 3"]
    kept: tuple[int, ...]
    named: bool

    @property
    def other(self) -> int:
        """The value of pixels of classes that are not kept: the largest of the file's bits."""
        return 255 if len(self.names) < 256 else 65535


def classes_of(segmenter: Any, wanted: Sequence[str] = ()) -> Classes:
    """The classes that a model names: transformers' `id2label`, mmsegmentation's `dataset_meta`.

    Attributes `classes`, `class_names` and `palette` of the model count as well; the model is the
    segmenter or its `.model`.

    Args:
        segmenter: of `num_classes` classes.
        wanted: names or numbers of the classes to keep; all if there are none.

    Raises:
        InputError: there is no such class.
    """
    count = int(segmenter.num_classes)
    names = next((found for found in _named(segmenter) if len(found) == count), None)
    palette = next((found for found in _coloured(segmenter) if len(found) == count), None)
    shown = names if names is not None else tuple(f"class {index}" for index in range(count))
    colours = distinct_palette(count) if palette is None else palette
    return Classes(shown, colours, _kept(wanted, shown), names is not None)


def _kept(wanted: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    if not wanted:
        return tuple(range(len(names)))
    kept: set[int] = set()
    for each in wanted:
        if each in names:
            # Several classes may be called alike.
            kept |= {index for index, name in enumerate(names) if name == each}
        elif each.isdecimal() and int(each) < len(names):
            kept.add(int(each))
        else:
            raise InputError(
                f"the model has no class {each!r}; it has 0 to {len(names) - 1}: "
                f"{', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
            )
    return tuple(sorted(kept))


def _holders(segmenter: Any) -> Iterator[Any]:
    for holder in (segmenter, getattr(segmenter, "model", None)):
        if holder is not None:
            yield holder


def _named(segmenter: Any) -> Iterator[tuple[str, ...]]:
    for holder in _holders(segmenter):
        labels = getattr(getattr(holder, "config", None), "id2label", None)
        if isinstance(labels, Mapping) and all(str(key).isdecimal() for key in labels):
            ordered = sorted(labels.items(), key=lambda item: int(item[0]))
            yield tuple(str(name) for _, name in ordered)
        for names in (_meta(holder, "classes"), *_values(holder, "classes", "class_names")):
            if _is_list(names):
                yield tuple(str(name) for name in names)


def _coloured(segmenter: Any) -> Iterator[UInt8[np.ndarray, "C 3"]]:
    for holder in _holders(segmenter):
        for palette in (_meta(holder, "palette"), *_values(holder, "palette", "PALETTE")):
            if _is_list(palette) and all(_is_list(row) and len(row) == 3 for row in palette):
                yield (
                    np.array([[int(v) for v in row] for row in palette])
                    .clip(0, 255)
                    .astype(np.uint8)
                )


def _meta(holder: Any, key: str) -> Any:
    meta = getattr(holder, "dataset_meta", None)
    return meta.get(key) if isinstance(meta, Mapping) else None


def _values(holder: Any, *names: str) -> list[Any]:
    return [getattr(holder, name, None) for name in names]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)
