"""Pure tensor functions beside the equations."""
