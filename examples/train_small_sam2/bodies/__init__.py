"""Bodies: objects put together from pieces that hang on each other and swing or turn."""

from examples.train_small_sam2.bodies.kinds import body
from examples.train_small_sam2.bodies.pieces import Piece

__all__ = ["Piece", "body"]
