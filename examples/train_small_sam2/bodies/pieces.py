"""The pieces of a body, and how they are put together."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.shapes import Outline, limb
from examples.train_small_sam2.textures import Rng


@dataclass
class Piece:
    """One stiff piece of a body, in the body's own coordinates (about -1..1, y down).

    Its angle at frame t, around ``pivot`` and on top of its parent's, is
    ``spin * t + swing * sin(pace * t + phase)`` radians. ``cover`` says which of the body's
    textures it wears; pieces are drawn from low to high ``depth``. Parents stand before children.
    A ``picture`` (RGBA) fills the box of its contours in the place of a texture.
    """

    contours: list[Outline]
    cover: int = 0
    parent: int = -1
    pivot: tuple[float, float] = (0.0, 0.0)
    swing: float = 0.0
    pace: float = 0.0
    phase: float = 0.0
    spin: float = 0.0
    depth: float = 0.0
    soft: bool = False
    picture: npt.NDArray[np.uint8] | None = None


@dataclass
class Assembly:
    """Collects pieces; ``leg`` adds two that swing."""

    rng: Rng
    pieces: list[Piece] = field(default_factory=list)

    def add(self, *contours: Outline, **rest: object) -> int:
        """Add one piece, the rest as `Piece` has it; returns its index."""
        self.pieces.append(Piece(list(contours), **rest))  # type: ignore[arg-type]
        return len(self.pieces) - 1

    def leg(
        self,
        hip: tuple[float, float],
        length: float,
        thick: float,
        phase: float,
        pace: float,
        *,
        swing: float,
        depth: float,
        parent: int = 0,
        covers: tuple[int, int] = (0, 0),
        lean: float = 0.0,
    ) -> None:
        """An upper and a lower limb below ``hip``, leaning by ``lean`` radians."""
        half = length / 2
        knee = (hip[0] + half * np.sin(lean), hip[1] + half * np.cos(lean))
        foot = (knee[0], knee[1] + half)
        upper = self.add(
            limb(hip, knee, thick, thick * 0.75),
            cover=covers[0],
            parent=parent,
            pivot=hip,
            swing=swing,
            pace=pace,
            phase=phase,
            depth=depth,
        )
        self.add(
            limb(knee, foot, thick * 0.75, thick * 0.5),
            cover=covers[1],
            parent=upper,
            pivot=knee,
            swing=swing * 0.8,
            pace=pace,
            phase=phase - 1.2,
            depth=depth + 0.01,
        )
