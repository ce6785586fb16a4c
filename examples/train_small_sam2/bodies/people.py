"""People: on foot, or seated on something."""

import numpy as np

from examples.train_small_sam2.bodies.pieces import Assembly, Piece
from examples.train_small_sam2.shapes import ellipse, limb, rounded
from examples.train_small_sam2.textures import Rng


def person(
    made: Assembly, base: tuple[float, float], scale: float, *, lean: float, seated: bool
) -> int:
    """A person with the hip at ``base``; returns the index of the torso."""
    rng = made.rng
    x, y = base
    pace = rng.uniform(0.1, 0.8)
    swing = rng.uniform(0.1, 0.8) * (0.5 if seated else 1)
    neck = (x + scale * 0.55 * np.sin(lean), y - scale * 0.55 * np.cos(lean))
    torso = made.add(
        limb(base, neck, scale * rng.uniform(0.13, 0.18), scale * rng.uniform(0.16, 0.22)),
        pivot=base,
        swing=0.06,
        pace=pace * 2,
    )
    head = (neck[0] + scale * 0.05, neck[1] - scale * 0.26)
    made.add(
        ellipse(*head, scale * 0.11, scale * 0.15),
        cover=1,
        parent=torso,
        pivot=neck,
        swing=0.12,
        pace=pace,
        depth=0.3,
    )
    if rng.random() < 0.5:
        made.add(
            ellipse(head[0], head[1] - scale * 0.08, scale * 0.12, scale * 0.09),
            cover=2,
            parent=torso,
            depth=0.35,
        )
    thick = scale * rng.uniform(0.06, 0.1)
    for side, depth in ((0, -1.0), (1, 1.0)):
        shift = (2 * side - 1) * scale * rng.uniform(0.0, 0.1)
        phase = np.pi * side
        made.leg(
            (x + shift, y),
            scale * rng.uniform(0.75, 0.9),
            thick,
            phase,
            pace,
            swing=swing,
            depth=depth * 0.5,
            parent=torso if seated else -1,
            covers=(2, 2),
            lean=0.9 if seated else 0.0,
        )
        made.leg(
            (neck[0] + shift * 1.5, neck[1] + scale * 0.05),
            scale * 0.62,
            thick * 0.7,
            phase + np.pi,
            pace,
            swing=swing,
            depth=depth,
            parent=torso,
            covers=(0, 1),
            lean=0.8 if seated else rng.uniform(-0.3, 0.5),
        )
    return torso


def biped(rng: Rng) -> list[Piece]:
    """A person on foot, at times with something in the hand."""
    made = Assembly(rng)
    person(made, (0.0, 0.05), rng.uniform(0.95, 1.1), lean=rng.normal(0, 0.12), seated=False)
    if rng.random() < 0.3:
        box = rounded(np.array([[-0.1, 0], [0.1, 0], [0.12, 0.22], [-0.12, 0.22]]), 1)
        hand = np.array([rng.uniform(0.1, 0.35), rng.uniform(-0.3, 0.2)])
        made.add(box + hand, cover=2, parent=0, depth=2)
    return made.pieces
