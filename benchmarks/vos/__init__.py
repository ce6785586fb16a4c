"""Video object segmentation: propagators that follow objects from their first masks."""
