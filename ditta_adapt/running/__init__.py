"""One video from its source to results that someone can look at."""
