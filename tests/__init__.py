"""Tests, and the small models they share. A package, since others install one called `tests`."""
