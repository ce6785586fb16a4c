"""Trains the small SegFormer of the demo on procedural scenes."""
