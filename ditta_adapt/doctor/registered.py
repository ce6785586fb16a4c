"""Which adapters and data sets are registered, and whether they can be used."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from ditta_adapt.datasets.opening import DATASETS
from ditta_adapt.doctor.finding import Finding, found
from ditta_adapt.errors import MissingDependencyError
from ditta_adapt.io.optional import LIBRARIES, require
from ditta_adapt.models.registry import SEGMENTERS
from ditta_adapt.teachers.registry import PROPAGATORS

NEEDED_LATER = {
    **dict.fromkeys(("edgetam", "sam2-hf", "sam2-small"), "transformers"),
    **dict.fromkeys(("bdd", "camvid", "cityscapes", "davis", "folder"), "PIL"),
    **dict.fromkeys(("synthia_seq", "viper", "vipseg", "vspw"), "PIL"),
    "cutie": "cutie",
    "demo": "cv2",
    "video": "av",
}
"""What those of this library import only when they open a video, and not when they are made."""


def segmenters() -> list[Finding]:
    """The adapters of image models, each with the library that its models are of."""
    return _registered(SEGMENTERS, _check_segmenter)


def propagators() -> list[Finding]:
    """The teachers; those of this library are made, which loads no weights."""
    return _registered(PROPAGATORS, _check_propagator)


def datasets() -> list[Finding]:
    """The kinds of data sets; none is opened."""
    return _registered(DATASETS, _check_dataset)


def _registered(group: str, check: Callable[[EntryPoint], None]) -> list[Finding]:
    def looking(point: EntryPoint) -> Callable[[], str]:
        def look() -> str:
            check(point)
            return point.value

        return look

    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return [found(point.name, looking(point), _remedy(point)) for point in points]


def _check_segmenter(point: EntryPoint) -> None:
    point.load()
    library = point.name.partition(".")[0]
    if find_spec(library) is None:
        if library in LIBRARIES:
            raise MissingDependencyError.for_extra(*LIBRARIES[library])
        raise MissingDependencyError(f"{library}, whose models it adapts, is not installed.")


def _check_propagator(point: EntryPoint) -> None:
    factory = point.load()
    # A stranger's may load weights.
    if _is_own(point):
        factory()
    _check_needed(point)


def _check_dataset(point: EntryPoint) -> None:
    point.load()
    _check_needed(point)


def _check_needed(point: EntryPoint) -> None:
    if _is_own(point) and point.name in NEEDED_LATER:
        require(NEEDED_LATER[point.name])


def _is_own(point: EntryPoint) -> bool:
    return point.value.startswith("ditta_adapt.")


def _remedy(point: EntryPoint) -> str:
    owner = point.dist.name if point.dist else point.value
    return f"see the libraries above; if nothing is wrong with them, install {owner} again"
