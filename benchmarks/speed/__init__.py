"""How fast: what the speed benchmarks share. Every ratio is measured in one run."""
