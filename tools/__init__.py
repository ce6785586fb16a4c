"""Scripts of the repository: they draw parts of the documentation from the code."""
