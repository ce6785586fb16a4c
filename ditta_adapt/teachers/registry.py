"""Find a propagator by name, so that none is imported before it is needed."""

from importlib.metadata import EntryPoint, entry_points

from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import call_factory, check_factory
from ditta_adapt.teachers.propagator import Propagator

PROPAGATORS = "ditta_adapt.propagators"


def check_propagator(propagator: Propagator | str) -> Propagator | str:
    """The propagator or its name itself, if `find_propagator` could find it.

    Nothing is imported and nothing is loaded, so that a wrong name fails where it is given.

    Raises:
        InputError: unknown name, a factory whose package is not installed, or an object with no
            `open` method.
    """
    if isinstance(propagator, str):
        registered = _registered()
        if propagator not in registered and propagator.partition(":")[0] not in registered:
            if ":" not in propagator:
                raise InputError(
                    f"no propagator is called {propagator!r}; registered are "
                    f"{sorted(registered)}. One of your own is named package.module:factory, or "
                    "given as an object."
                )
            check_factory(propagator)
    elif isinstance(propagator, type) or not callable(getattr(propagator, "open", None)):
        shown = propagator.__name__ if isinstance(propagator, type) else type(propagator).__name__
        raise InputError(
            f"propagator is {shown}; expected an object with a method open(frames), such as "
            'OpticalFlowPropagator(), or a registered name, such as "flow".'
        )
    return propagator


def find_propagator(propagator: Propagator | str) -> Propagator:
    """The propagator itself, or a new one by its name.

    Args:
        propagator: an object; a registered name, such as `"flow"`; one with the weights it is to
            load, by their folder or hub id, such as `"sam2:facebook/sam2.1-hiera-tiny"`; or
            `"package.module:factory"`.

    Raises:
        InputError: see `check_propagator`; a propagator of that name loads no weights; or a factory
            that cannot be found, or raises.
        MissingDependencyError: the propagator's library is not installed.
    """
    if not isinstance(check_propagator(propagator), str):
        found: Propagator = propagator  # type: ignore[assignment]
        return found
    registered = _registered()
    name = str(propagator)
    # A registered name may have a colon itself.
    own, _, weights = (name, "", "") if name in registered else name.partition(":")
    if own not in registered:
        return find_propagator(call_factory(name))
    factory = registered[own].load()
    if not weights:
        return find_propagator(factory())
    if not hasattr(factory, "from_pretrained"):
        raise InputError(f"the propagator {own!r} loads no weights; leave {':' + weights!r} out.")
    return find_propagator(factory.from_pretrained(weights))


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=PROPAGATORS)}
