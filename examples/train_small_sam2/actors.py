"""The actors of a clip: objects and what is not tracked, each a sprite with its motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from examples.train_small_sam2.bodies import Piece
from examples.train_small_sam2.cutouts import any_body
from examples.train_small_sam2.dressing import dressed
from examples.train_small_sam2.motion import Motion, move
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.shapes import outline, rounded
from examples.train_small_sam2.sprites import Sprite
from examples.train_small_sam2.textures import Rng

# The length of what is not tracked, of the first object and of the others, in frame sides.
_EXTENTS = ((0.04, 0.5), (0.2, 1.1), (0.15, 0.9))
# Of untracked things, the share in the textures of another thing: who knows an object by its
# colours alone takes these for it.
_LOOKALIKE = 0.6


@dataclass
class Actor:
    """A sprite with its motion. ``number`` is its id in the clip, 0 for what is not tracked."""

    sprite: Sprite
    motion: Motion
    number: int
    shadow: float = 0.0


@dataclass
class Casting:
    """Draws the actors of one clip of ``frames`` frames, ``size`` pixels wide."""

    rng: Rng
    frames: int
    size: int
    backdrop: Image
    cutouts: Sequence[Path]

    def thing(self, number: int, others: Sequence[Actor]) -> Actor:
        """An object or, with number 0, what is not tracked and may wear what another one wears."""
        rng = self.rng
        pieces = any_body(rng, self.cutouts)
        low, high = _EXTENTS[min(number, 2)]
        extent = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        motion = move(
            rng,
            self.frames,
            extent,
            start=tuple(rng.uniform(-0.38, 0.38, 2)),
            calm=rng.random() < (0.1 if number else 0.4),
            upright=len(pieces) > 1 and rng.random() < 0.8,
            follows_camera=rng.random() < 0.4,
        )
        shadow = rng.uniform(0.15, 0.5) if rng.random() < 0.25 else 0.0
        like = None
        textured = [actor.sprite for actor in others if actor.sprite.covers]
        if not number and textured and rng.random() < _LOOKALIKE:
            like = textured[int(rng.integers(len(textured)))]
        actor = Actor(self._sprite(pieces, extent, like), motion, number, shadow)
        if number and len(pieces) > 2 and rng.random() < 0.12:
            # Only some of its pieces are the object: a head, the wheels, all but the trunk.
            keep = rng.random(len(pieces)) < 0.5
            keep[0] = not keep.any()
            actor.sprite.owners = [number * int(k) for k in keep]
        return actor

    def region(self, number: int) -> Actor:
        """A large thing at the back, that moves with it: a wall, a meadow, a lake."""
        rng = self.rng
        extent = rng.uniform(0.5, 1.1)
        motion = move(
            rng,
            self.frames,
            extent,
            start=tuple(rng.uniform(-0.4, 0.4, 2)),
            calm=True,
            upright=False,
            follows_camera=True,
        )
        pieces = [Piece([outline(rng)], soft=rng.random() < 0.3)]
        return Actor(self._sprite(pieces, extent), motion, number)

    def twin(self, others: Sequence[Actor]) -> Actor:
        """A second one of any of the others, not tracked: the same sprite on another path."""
        rng = self.rng
        model = others[int(rng.integers(len(others)))]
        extent = float(model.motion.scale[0]) * 2
        start = tuple(rng.uniform(-0.4, 0.4, 2))
        motion = move(rng, self.frames, extent, start=start, upright=len(model.sprite.pieces) > 1)
        return Actor(model.sprite, motion, 0)

    def screen(self, half: float, behind: Motion | None) -> Actor:
        """Something untracked in front: a post or a wide thing, ``half`` its least half width."""
        rng = self.rng
        tall = 0.75 if behind is None else max(half, rng.uniform(0.3, 0.9))
        edge = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [half * 1.15, tall * 1.3]
        points = rounded(edge, int(rng.integers(1, 4))) if rng.random() < 0.5 else edge
        extent = 2 * float(np.abs(points).max())
        pieces = [Piece([points * 2 / extent])]
        start = tuple(rng.uniform(-0.45, 0.45, 2))
        motion = move(
            rng, self.frames, extent, start=start, upright=True, follows_camera=behind is None
        )
        motion.scale[:], motion.squeeze[:], motion.angle[:] = extent / 2, 1, rng.normal(0, 0.05)
        if behind is None and rng.random() < 0.6:
            motion.position[:] = start
        return Actor(self._sprite(pieces, extent), motion, 0)

    def _sprite(self, pieces: list[Piece], extent: float, like: Sprite | None = None) -> Sprite:
        return dressed(self.rng, pieces, extent, self.size, self.backdrop, like)
