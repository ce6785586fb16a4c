"""The kinds of bodies, and how often each is drawn."""

from collections.abc import Callable

from examples.train_small_sam2.bodies.animals import bird, creature, quadruped
from examples.train_small_sam2.bodies.people import biped
from examples.train_small_sam2.bodies.pieces import Piece
from examples.train_small_sam2.bodies.vehicles import cyclist, vehicle
from examples.train_small_sam2.shapes import outline
from examples.train_small_sam2.textures import Rng


def _single(rng: Rng) -> list[Piece]:
    return [Piece([outline(rng)], soft=True)]


_KINDS: tuple[tuple[Callable[[Rng], list[Piece]], float], ...] = (
    (_single, 0.38),
    (quadruped, 0.15),
    (biped, 0.14),
    (vehicle, 0.1),
    (cyclist, 0.05),
    (bird, 0.06),
    (creature, 0.12),
)


def body(rng: Rng) -> list[Piece]:
    """A random body. Its first piece is the trunk."""
    kinds, weights = zip(*_KINDS, strict=True)
    return kinds[int(rng.choice(len(kinds), p=weights))](rng)
