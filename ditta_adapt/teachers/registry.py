"""Find a propagator by name through entry points, so that none is imported before it is needed."""

from importlib.metadata import entry_points

from ditta_adapt.errors import InputError
from ditta_adapt.teachers.propagator import Propagator

PROPAGATORS = "ditta_adapt.propagators"


def find_propagator(propagator: Propagator | str) -> Propagator:
    """The propagator itself, or a new one by its registered name, such as `"flow"`.

    Raises:
        InputError: unknown name, or an object with no `open` method.
        MissingDependencyError: the propagator's library is not installed.
    """
    if isinstance(propagator, str):
        registered = {point.name: point for point in entry_points(group=PROPAGATORS)}
        if propagator not in registered:
            raise InputError(
                f"no propagator is called {propagator!r}; registered are {sorted(registered)}."
            )
        built: Propagator = registered[propagator].load()()
        return built
    if isinstance(propagator, type) or not callable(getattr(propagator, "open", None)):
        shown = propagator.__name__ if isinstance(propagator, type) else type(propagator).__name__
        raise InputError(
            f"propagator is {shown}; expected an object with a method open(frames), such as "
            'OpticalFlowPropagator(), or a registered name, such as "flow".'
        )
    return propagator
