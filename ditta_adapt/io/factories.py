"""What a user names as `package.module:factory`."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ditta_adapt.errors import DittaError, InputError


def check_factory(spec: str) -> None:
    """Refuse what `find_factory` could not find, as far as that is seen without importing.

    Raises:
        InputError: a malformed spec, or a package that is not there.
    """
    module_name, _ = _parts(spec)
    package = module_name.partition(".")[0]
    try:
        found = package in sys.modules or importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        raise InputError(
            f"{spec!r}: there is no package {package!r}. Modules are looked for in the current "
            "folder and among the installed packages."
        )


def find_factory(spec: str) -> Callable[..., Any]:
    """Import what `"package.module:name"` names; the name may have dots.

    Raises:
        InputError: a malformed spec, a module that cannot be imported, no such name in it, or
            something that cannot be called.
    """
    module_name, name = _parts(spec)
    try:
        found: Any = importlib.import_module(module_name)
    # Whatever a module raises while it is imported, it cannot be used.
    except Exception as error:
        raise InputError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}. Modules are looked "
            "for in the current folder and among the installed packages."
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            names = [public for public in vars(found) if not public.startswith("_")]
            raise InputError(f"{module_name!r} has no {name!r}; it has {names[:12]}.")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(
            f"{spec} is a {type(found).__name__}; expected a function or class that returns what "
            "is asked for."
        )
    factory: Callable[..., Any] = found
    return factory


def call_factory(spec: str) -> Any:
    """What the factory of that name makes, called without arguments.

    Raises:
        InputError: it cannot be found, or raises.
    """
    factory = find_factory(spec)
    try:
        return factory()
    except DittaError:
        raise
    except Exception as error:
        raise InputError(
            f"{spec}() raised {type(error).__name__}: {error}. Expected a function or class that "
            "can be called without arguments."
        ) from error


def _parts(spec: str) -> tuple[str, str]:
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise InputError(
            f"{spec!r} does not name a factory; expected package.module:factory, such as "
            "my_adapter:make_segmenter."
        )
    return module_name, name


@contextmanager
def importable_folder(folder: str) -> Iterator[None]:
    """Look for modules in a folder too, as Python does for a script that lies there."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
