"""Benchmarks on real video; not part of the installed package."""
