"""A method by the name that a user gives: registered, with options, in files, or of one's own."""

from dataclasses import fields
from typing import Any, get_args

from ditta_adapt.baselines import MaskRefiner, Method, RefinedMethod
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.mask_refiner import Vote
from ditta_adapt.baselines.painting import Overlap
from ditta_adapt.datasets.opening import parse_options
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.method_names import BUILDERS, Parts
from ditta_adapt.evaluation.saved_labels import SavedLabels, check_saved_labels
from ditta_adapt.io.factories import call_factory, check_factory

SAVED = "predictions"
"""Before the colon: label maps in files, see `SavedLabels`."""

REFINED = "refined"
"""Before the colon: another method, refined by masks, see `RefinedMethod`."""

REFINER = "refiner"
"""Before the colon: options of `MaskRefiner`, such as `window=8,vote=window`."""


def check_method(name: str) -> str:
    """The name itself: of `method_names`, or with a colon.

    These are `refiner:KEY=VALUE,...`, `refined:METHOD`, `predictions:DIR` and
    `package.module:factory`. Nothing is imported.

    Raises:
        InputError: no method has it, no such option, no such folder, or no such package.
    """
    kind, colon, rest = name.partition(":")
    if name in BUILDERS:
        return name
    if not (colon and rest):
        raise InputError(
            f"there is no method {name!r}; expected one of {', '.join(BUILDERS)}; "
            "predictions:DIR, label maps in files; package.module:factory, which returns one; or "
            "refined:METHOD, any of these refined by masks."
        )
    if kind == SAVED:
        check_saved_labels(rest)
    elif kind == REFINER:
        _refiner_options(rest)
    elif kind == REFINED:
        if rest.startswith(f"{REFINED}:"):
            raise InputError(f"{name} refines twice; expected one {REFINED}: before a method.")
        check_method(rest)
    else:
        check_factory(name)
    return name


def check_parts(name: str, parts: Parts) -> None:
    """Refuse a method that could not run on any video.

    Raises:
        InputError: no method of that name, or a part it needs is missing.
    """
    own = check_method(name).removeprefix(f"{REFINED}:")
    if own.startswith("i-sam2") and parts.classifier is None:
        raise InputError(
            f"{name} needs a classifier of masks (`Parts.classifier`, or --classifier FILE), "
            "trained on labelled videos as in examples/train_mask_classifier.py."
        )


def build_method(name: str, parts: Parts) -> Method:
    """A method with pre-trained weights.

    Raises:
        InputError: no method of that name, or a part it needs is missing.
    """
    check_parts(name, parts)
    if name in BUILDERS:
        return BUILDERS[name](parts)
    kind, _, rest = name.partition(":")
    if kind == SAVED:
        if parts.video is None:
            raise InputError(f"{name} needs the video that is labelled (`Parts.video`).")
        return SavedLabels(rest, parts.video)
    if kind == REFINER:
        return MaskRefiner(parts.segmenter, parts.propagator, **_refiner_options(rest))
    if kind == REFINED:
        refined = build_method(rest, parts)
        return RefinedMethod(refined, parts.propagator, parts.segmenter.num_classes)
    method = call_factory(name)
    if not isinstance(method, Method):
        raise InputError(
            f"{name} returned a {type(method).__name__}; expected a method: an object with adapt, "
            "__call__, clear_memory and reset, such as a ClipNetwork."
        )
    return method


_COUNTS = ("window", "points_per_side")
_WORDS = {"vote": get_args(Vote), "overlap": get_args(Overlap)}
_THRESHOLDS = tuple(field.name for field in fields(MaskThresholds))


def _refiner_options(text: str) -> dict[str, Any]:
    options = parse_options(text.split(","))
    for name, value in options.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_count = is_number and isinstance(value, int) and value >= 1
        fits = is_count if name in _COUNTS else is_number if name in _THRESHOLDS else False
        if not (fits or value in _WORDS.get(name, ())):
            words = "; ".join(f"{key}, one of {', '.join(some)}" for key, some in _WORDS.items())
            raise InputError(
                f"refiner has no option {name}={value}; expected {' and '.join(_COUNTS)}, each a "
                f"number of at least 1; {words}; or {', '.join(_THRESHOLDS)}, numbers."
            )
    thresholds = {name: options.pop(name) for name in _THRESHOLDS if name in options}
    return options | ({"thresholds": MaskThresholds(**thresholds)} if thresholds else {})
