"""Adapters to other people's models, installed as `ditta_adapt.adapters`.

Each needs one third-party library, imported when the adapter is used.
"""

if __name__ != "ditta_adapt.adapters":
    raise ImportError(
        f"this folder was imported as {__name__!r}. It is part of ditta-adapt and is only "
        "imported as 'ditta_adapt.adapters'; another package called 'adapters' exists. Install "
        "the project (pip install -e .), and do not put its root on the import path."
    )
