"""Pseudo-labels refined by a neighbouring frame, or by the truth."""
