"""Finding the parts of a model by watching it run."""
