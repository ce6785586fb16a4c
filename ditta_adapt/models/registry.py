"""Find adapters by name through entry points, so that none is imported before it is needed."""

from importlib.metadata import entry_points
from typing import Any

from ditta_adapt.errors import UnknownModelError
from ditta_adapt.models.segmenter import Segmenter, is_segmenter
from ditta_adapt.models.unwrap import unwrap
from ditta_adapt.models.usable import check_usable

SEGMENTERS = "ditta_adapt.segmenters"


def find_segmenter(model: object) -> Segmenter:
    """The segmenter for a model: itself if it is one, else the adapter registered for its type.

    What programs put around a model for training or speed is taken off, see `unwrap`.

    An adapter is registered in the entry-point group `ditta_adapt.segmenters` under
    `"<top-level package>.<class name>"` of the model; a subclass is served by its base's adapter.

    Raises:
        UnknownModelError: no adapter is registered for the model's type or any of its bases.
        MissingDependencyError: the adapter's library is not installed.
        SegmenterError: it cannot be adapted, see `check_usable`.
    """
    if isinstance(model, type):
        raise UnknownModelError(
            f"wrap was given the class {model.__name__}; expected an instance of it."
        )
    segmenter = _segmenter_of(unwrap(model))
    check_usable(segmenter)
    return segmenter


def _segmenter_of(model: Any) -> Segmenter:
    if is_segmenter(model):
        segmenter: Segmenter = model
        return segmenter
    registered = {point.name: point for point in entry_points(group=SEGMENTERS)}
    for base in type(model).__mro__:
        name = f"{base.__module__.partition('.')[0]}.{base.__name__}"
        if name in registered:
            adapted: Segmenter = registered[name].load()(model)
            return adapted
    raise UnknownModelError(
        f"no adapter is known for {type(model).__module__}.{type(model).__name__}; there are "
        f"adapters for {sorted(registered)}. Two ways on: name its parts, "
        'wrap(HookedSegmenter(model, decoder="decode_head", features="decode_head.fuse")); or '
        "write an adapter: a class with preprocess, encode, decode and adaptable_modules (see "
        "ditta_adapt.Segmenter), and wrap(MySegmenter(model))."
    )
