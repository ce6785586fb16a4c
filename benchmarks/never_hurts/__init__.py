"""Does it ever hurt? Many videos, networks and circumstances; see `__main__`."""
