"""Frames and files: what comes in and goes out."""
