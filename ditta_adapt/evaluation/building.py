"""A method by the name that a user gives: registered, with options, in files, or of one's own."""

from typing import Any, get_args

from ditta_adapt.baselines import MaskRefiner, Method, RefinedMethod
from ditta_adapt.baselines.mask_refiner import Vote
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


def _refiner_options(text: str) -> dict[str, Any]:
    options = parse_options(text.split(","))
    for name, value in options.items():
        if name == "vote" and value in get_args(Vote):
            continue
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if name not in ("window", "points_per_side") or not is_count:
            raise InputError(
                f"refiner has no option {name}={value}; expected window and points_per_side, each "
                f"a number of at least 1, and vote, one of {', '.join(get_args(Vote))}."
            )
    return options
