"""Pseudo-labels: what a student learns from."""
