"""A model of one set of classes, scored by labels of another: which class counts as which."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from ditta_adapt.datasets.labelled_video import (
    IGNORE,
    WITHOUT_COUNTERPART,
    LabelledVideo,
    VideoDataset,
)
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.errors import InputError

SHIPPED = Path(__file__).parent / "class_maps"


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Which label class each class of a model counts as.

    Attributes:
        model: classes of the model, in the order of its outputs.
        labels: classes of the labels, likewise.
        counterparts: label class of a class of the model. One that is not named has none: where it
            is predicted, that is wrong.
        merged: label classes that count as another one, as where labels are finer than the model.
            A label class that nothing counts as does not count at all.
    """

    model: tuple[str, ...]
    labels: tuple[str, ...]
    counterparts: Mapping[str, str]
    merged: Mapping[str, str]

    def __post_init__(self) -> None:
        """Check that names are known, each once."""
        for kind, names in (("model", self.model), ("labels", self.labels)):
            if not names or len(set(names)) != len(names):
                raise InputError(f"{kind} has {len(names)} names; expected some, each once.")
        if len(self.labels) > IGNORE:
            raise InputError(f"there are {len(self.labels)} labels; expected at most {IGNORE}.")
        _check_names("a class of the model", self.counterparts, self.model)
        _check_names("a class of the labels", self.counterparts.values(), self.labels)
        _check_names("a class of the labels", [*self.merged, *self.merged.values()], self.labels)
        both = set(self.merged) & {*self.merged.values(), *self.counterparts.values()}
        if both:
            raise InputError(
                f"label class {sorted(both)[0]!r} counts as another one, and something counts as "
                "it; expected one of the two."
            )

    @property
    def table(self) -> Int64[np.ndarray, " model"]:
        """Label class of each class of the model, or `WITHOUT_COUNTERPART`."""
        places = {name: place for place, name in enumerate(self.labels)}
        found = [self.counterparts.get(name) for name in self.model]
        return np.array([WITHOUT_COUNTERPART if n is None else places[n] for n in found], np.int64)

    @property
    def label_table(self) -> UInt8[np.ndarray, "256"]:
        """What each label counts as, `IGNORE` where nothing of the model does."""
        places = {name: place for place, name in enumerate(self.labels)}
        known = set(self.counterparts.values())
        table = np.full(256, IGNORE, np.uint8)
        for name, place in places.items():
            target = self.merged.get(name, name)
            if target in known:
                table[place] = places[target]
        return table

    def reversed(self) -> "ClassMap":
        """The map from the labels' classes to the model's.

        Where several classes count as one, the first of them that has its name, else the first,
        stands for all, and the others are merged into it.
        """
        groups: dict[str, list[str]] = {}
        for name in self.model:
            if name in self.counterparts:
                groups.setdefault(self.counterparts[name], []).append(name)
        first = {
            label: next((n for n in names if same_name(n, label)), names[0])
            for label, names in groups.items()
        }
        merged = {n: first[label] for label, names in groups.items() for n in names}
        merged = {name: target for name, target in merged.items() if name != target}
        fine = {name: first[target] for name, target in self.merged.items() if target in first}
        return ClassMap(self.labels, self.model, {**first, **fine}, merged)


class MappedDataset:
    """A data set for a model of other classes; its videos have a `relabel` table.

    Args:
        dataset: with labels.
        class_map: from the model's classes to those of the data set.

    Raises:
        InputError: the data set has other classes than the map.
    """

    def __init__(self, dataset: VideoDataset, class_map: ClassMap) -> None:
        names, expected = dataset.class_names, class_map.labels
        # A data set without names of its own numbers its classes.
        named = not all(name == f"class {place}" for place, name in enumerate(names))
        fits = not named or all(same_name(*pair) for pair in zip(names, expected, strict=False))
        if len(names) != len(expected) or not fits:
            raise InputError(
                f"the class map is for {len(expected)} classes ({', '.join(expected[:4])}, ...) "
                f"and the data set {dataset.name!r} has {len(names)} ({', '.join(names[:4])}, ...);"
                " expected the same."
            )
        self.name, self.names = dataset.name, dataset.names
        self.class_names, self.palette = names, dataset.palette
        self._dataset, self._class_map = dataset, class_map

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> LabelledVideo:
        video = self._dataset[index]
        if video.relabel is not None:
            raise InputError(
                f"video {video.name!r} says itself what classes of a model count as; leave the "
                "class map out."
            )
        labels = MappedLabels(video.labels, self._class_map.label_table)
        return replace(video, labels=labels, relabel=self._class_map.table)


class MappedLabels(LazySequence[np.ndarray | None]):
    """Labels of a video, by a class map.

    Args:
        labels: of the data set.
        table: what each label counts as, see `ClassMap.label_table`.
    """

    def __init__(
        self, labels: Sequence[np.ndarray | None], table: UInt8[np.ndarray, "256"]
    ) -> None:
        self._labels, self._table = labels, table

    def __len__(self) -> int:
        return len(self._labels)

    def _read(self, index: int) -> np.ndarray | None:
        return self.with_left_out(index)[0]

    def with_left_out(self, index: int) -> tuple[np.ndarray | None, int]:
        """Labels of a frame, and how many pixels have one that nothing of the model counts as."""
        labels = self._labels[index]
        if labels is None:
            return None, 0
        # Whatever is no class does not count, in labels of any width.
        known = np.where((labels >= 0) & (labels < IGNORE), labels, IGNORE).astype(np.uint8)
        mapped = self._table[known]
        return mapped, int(((known != IGNORE) & (mapped == IGNORE)).sum())


def read_class_map(name: str) -> ClassMap:
    """A map that is shipped, or one in a TOML file.

    A file has `model` and `labels`, the names of all classes in order, and tables `[same]` and
    `[decided]` from classes of the model to those of the labels; `[merged]` if labels are merged.

    Args:
        name: such as `"vspw-cityscapes"`, `"ade20k-vspw"`, or either the other way round; or the
            path of a file.

    Raises:
        InputError: there is none, or it is malformed.
    """
    path, turned = Path(name), False
    if path.suffix != ".toml":
        shipped = sorted(file.stem for file in SHIPPED.glob("*.toml"))
        turned = "-".join(reversed(name.split("-"))) in shipped
        if not (turned or name in shipped):
            both = [*shipped, *("-".join(reversed(each.split("-"))) for each in shipped)]
            raise InputError(
                f"there is no class map {name!r}; expected one of {', '.join(both)}, or the path "
                "of a .toml file."
            )
        path = SHIPPED / f"{'-'.join(reversed(name.split('-'))) if turned else name}.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        same, decided, merged = (
            {name: str(other) for name, other in values.get(kind, {}).items()}
            for kind in ("same", "decided", "merged")
        )
        lists = {kind: tuple(map(str, values[kind])) for kind in ("model", "labels")}
    except OSError as error:
        raise InputError(f"the class map {path} cannot be read: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is no class map ({error!r}); expected lists `model` and `labels` of names, "
            "and tables [same], [decided] and, if need be, [merged] from name to name."
        ) from error
    twice = sorted(set(same) & set(decided))
    if twice:
        raise InputError(f"{path}: {twice[0]!r} is in [same] and in [decided]; expected one.")
    found = ClassMap(**lists, counterparts=same | decided, merged=merged)
    return found.reversed() if turned else found


def same_name(one: str, other: str) -> bool:
    """Whether two names are equal, but for case and underscores."""
    return one.lower().replace("_", " ") == other.lower().replace("_", " ")


def _check_names(kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    foreign = [name for name in names if name not in known]
    if foreign:
        raise InputError(f"the class map names {foreign[0]!r}, which is not {kind}.")
