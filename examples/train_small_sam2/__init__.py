"""Trains the small SAM2 video model that the package ships, from scratch."""
