"""Open a data set by its name, found through entry points or named by its factory."""

import inspect
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ditta_adapt.datasets.labelled_video import IGNORE, VideoDataset
from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import find_factory

DATASETS = "ditta_adapt.datasets"
"""The entry-point group: from a short name to `package.module:factory`."""


def dataset_names() -> tuple[str, ...]:
    """The names of the registered data sets, in alphabetical order."""
    return tuple(sorted(_registered()))


def open_dataset(name: str, root: Path | str, **options: Any) -> VideoDataset:
    """Open a data set and check that its folders are where they should be; no frame is read yet.

    Args:
        name: registered in the entry-point group `ditta_adapt.datasets`, such as `camvid`,
            `cityscapes`, `davis`, `demo`, `folder`, `video` or `vspw`; or
            `package.module:factory`. Either way it is opened by `factory(root, **options)`.
        root: where it lies; a `pathlib.Path` is what a factory gets.
        options: those of the data set: see `open_vspw` and the others.

    Raises:
        InputError: no data set of that name, an option it has not or of another type than its
            factory says, a file or folder that is not there, or a factory that cannot be found or
            returns something else.
    """
    registered = _registered()
    if ":" not in name and name not in registered:
        raise InputError(
            f"there is no data set {name!r}; expected one of {', '.join(sorted(registered))}, or "
            "package.module:factory for your own."
        )
    factory = find_factory(registered.get(name, name))
    root = Path(root).expanduser()
    signature = inspect.signature(factory)
    try:
        signature.bind(root, **options)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[1:])
        raise InputError(
            f"data set {name!r} cannot be opened with the options {sorted(options)}: {error}; it "
            f"has {known or 'no options'}."
        ) from error
    _check_types(signature.parameters, options)
    dataset: Any = factory(root, **options)
    _check_dataset(dataset, name)
    opened: VideoDataset = dataset
    return opened


def _registered() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=DATASETS)}


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Options of a data set as a command line has them, `KEY=VALUE`; JSON is taken as such.

    Raises:
        InputError: one is no such pair.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError(f"option {pair!r} is not KEY=VALUE, such as split=train.")
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options


def _check_types(parameters: Mapping[str, inspect.Parameter], options: Mapping[str, Any]) -> None:
    """Check options that are plain numbers or words."""
    for name, value in options.items():
        hint = parameters[name].annotation if name in parameters else inspect.Parameter.empty
        kinds = get_args(hint) or (hint,)
        if inspect.Parameter.empty in kinds or not all(isinstance(kind, type) for kind in kinds):
            continue
        if not isinstance(value, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
            raise InputError(f"option {name} is {value!r}; expected {expected}.")


def _check_dataset(dataset: object, spec: str) -> None:
    if not isinstance(dataset, VideoDataset):
        raise InputError(
            f"{spec} returned a {type(dataset).__name__}; expected a data set with name, names, "
            "class_names, palette, __len__ and __getitem__: see ditta_adapt.datasets.VideoDataset."
        )
    if len(dataset.names) != len(dataset):
        raise InputError(
            f"{spec}: there are {len(dataset.names)} names of {len(dataset)} videos; expected one "
            "a video."
        )
    classes, palette = len(dataset.class_names), np.asarray(dataset.palette)
    if classes > IGNORE:
        raise InputError(f"{spec} has {classes} label classes; expected at most {IGNORE}.")
    if palette.shape != (classes, 3) or palette.dtype != np.uint8:
        raise InputError(
            f"{spec}: palette has shape {palette.shape} and dtype {palette.dtype}; expected "
            f"({classes}, 3) uint8, a colour for each of the class_names."
        )
