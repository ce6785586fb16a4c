"""Is this the factory of a segmenter or of a propagator?"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ditta_adapt.errors import InputError
from ditta_adapt.models.segmenter import is_segmenter

Kind: TypeAlias = Literal["segmenter", "propagator"]


def kind_of(factory: Callable[[], Any]) -> Kind:
    """The kind of adapter a factory returns: seen from a class itself, else by building one.

    Raises:
        InputError: the factory raises, or returns neither.
    """
    kind = _kind(factory) if isinstance(factory, type) else None
    if kind is not None:
        return kind
    try:
        adapter = factory()
    except Exception as error:
        raise InputError(
            f"the factory raised {type(error).__name__}: {error}. Make it work without arguments, "
            "or give the kind, 'segmenter' or 'propagator', to have the failure reported."
        ) from error
    kind = _kind(adapter)
    if kind is None:
        raise InputError(
            f"the factory returned a {type(adapter).__name__}; expected a segmenter (preprocess, "
            "encode, decode, adaptable_modules) or a propagator (open). Give the kind to see "
            "what is missing."
        )
    return kind


def _kind(candidate: object) -> Kind | None:
    if is_segmenter(candidate):
        return "segmenter"
    return "propagator" if callable(getattr(candidate, "open", None)) else None
