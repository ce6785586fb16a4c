"""Which networks `wrap` takes with nothing named: found, right, adapted, saved.

Run as `python -m benchmarks.coverage`.
"""
