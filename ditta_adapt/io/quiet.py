"""Libraries that write to the terminal, kept quiet."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from ditta_adapt.io.optional import require


@contextmanager
def no_loading_bars() -> Iterator[None]:
    """Inside, transformers loads weights without a progress bar; after, it does as it did before.

    The bars of downloads, which may take minutes, stay as the caller has set them.

    Raises:
        MissingDependencyError: transformers is not installed.
    """
    bars = require("transformers.utils.logging")
    if not bars.is_progress_bar_enabled():
        yield
        return
    # A requirement of transformers, whose two switches turn its bars, those of downloads, too.
    downloads = import_module("huggingface_hub.utils")
    downloads_shown = not downloads.are_progress_bars_disabled()
    bars.disable_progress_bar()
    if downloads_shown:
        downloads.enable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bar()
        if not downloads_shown:
            downloads.disable_progress_bars()
