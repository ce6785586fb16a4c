"""Animals: on four legs, with wings or fins, or with limbs anywhere."""

import numpy as np

from examples.train_small_sam2.bodies.pieces import Assembly, Piece
from examples.train_small_sam2.shapes import blob, ellipse, limb, outline, rounded
from examples.train_small_sam2.textures import Rng


def quadruped(rng: Rng) -> list[Piece]:
    """A trunk on four legs, with neck, head, ear and tail."""
    made = Assembly(rng)
    long, deep, tall = rng.uniform(0.4, 0.65), rng.uniform(0.16, 0.3), rng.uniform(0.4, 0.85)
    pace, swing = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.6)
    made.add(blob(rng, 0.08) * [long * 1.1, deep * 1.5], soft=True)
    thick = rng.uniform(0.05, 0.11)
    for side, depth in ((0, -1.0), (1, 1.0)):
        for end in (-1, 1):
            hip = (end * long * 0.8, deep * 0.3)
            phase = np.pi * side + end * rng.uniform(0.5, 1.5)
            made.leg(
                hip,
                tall,
                thick,
                phase,
                pace,
                swing=swing,
                depth=depth,
                covers=(0, int(rng.integers(2))),
            )
    up, reach = rng.uniform(-0.1, 0.5), rng.uniform(0.1, 0.35)
    base, top = (long * 0.8, -deep * 0.3), (long * 0.8 + reach, -deep * 0.5 - up)
    nod = {"swing": rng.uniform(0, 0.25), "pace": pace, "phase": rng.uniform(0, 6)}
    neck = made.add(limb(base, top, deep * 0.6, deep * 0.4), parent=0, pivot=base, depth=0.5, **nod)
    size = rng.uniform(0.12, 0.2)
    made.add(
        ellipse(top[0] + size * 0.6, top[1], size * 1.3, size * 0.75, rng.uniform(-0.2, 0.7)),
        cover=int(rng.integers(2)),
        parent=neck,
        pivot=top,
        depth=0.6,
        **nod,
    )
    ear = (top[0], top[1] - size * 0.5)
    made.add(limb(ear, (ear[0] - 0.05, ear[1] - size), 0.05, 0.02), cover=1, parent=neck, depth=0.4)
    root = (-long, -deep * 0.2)
    tip = (-long - rng.uniform(0.1, 0.35), rng.uniform(-0.4, 0.4))
    made.add(
        limb(root, tip, 0.05, 0.025), parent=0, pivot=root, swing=0.5, pace=pace * 1.3, depth=-0.5
    )
    return made.pieces


def bird(rng: Rng) -> list[Piece]:
    """A body with a tail and wings or fins: bird, fish, aeroplane."""
    made = Assembly(rng)
    made.add(blob(rng, 0.06) * [0.7, rng.uniform(0.3, 0.5)], soft=True)
    pace = rng.uniform(0.2, 1.2)
    tail = np.array(
        [[-0.55, 0], [-1, -rng.uniform(0.1, 0.4)], [-0.9, 0], [-1, rng.uniform(0.1, 0.4)]]
    )
    made.add(
        rounded(tail, 1), cover=1, parent=0, pivot=(-0.55, 0), swing=rng.uniform(0, 0.5), pace=pace
    )
    for side, depth in ((-1, -0.5), (1, 0.5)):
        span = rng.uniform(0.2, 0.9) * side
        wing = np.array([[0.25, 0], [-0.1, span], [-0.35, span * 0.9], [-0.25, 0]])
        made.add(
            rounded(wing, 1),
            cover=int(rng.integers(3)),
            parent=0,
            swing=rng.uniform(0, 0.7),
            pace=pace,
            depth=depth,
        )
    if rng.random() < 0.6:
        neck = made.add(
            limb((0.5, 0), (0.75, -0.4), 0.12, 0.06),
            parent=0,
            pivot=(0.5, 0),
            swing=0.3,
            pace=pace * 0.5,
        )
        made.add(ellipse(0.82, -0.42, 0.14, 0.08), cover=1, parent=neck, depth=0.1)
    return made.pieces


def creature(rng: Rng) -> list[Piece]:
    """Something with a trunk and a few limbs anywhere."""
    made = Assembly(rng)
    made.add(outline(rng) * rng.uniform(0.45, 0.75), soft=True)
    for _ in range(int(rng.integers(1, 6))):
        turn = rng.uniform(0, 2 * np.pi)
        start = (0.35 * np.cos(turn), 0.35 * np.sin(turn))
        reach = rng.uniform(0.6, 1)
        end = (reach * np.cos(turn), reach * np.sin(turn))
        r0, r1 = rng.uniform(0.05, 0.25), rng.uniform(0.03, 0.2)
        made.add(
            limb(start, end, r0, r1),
            cover=int(rng.integers(3)),
            parent=0,
            pivot=start,
            swing=rng.uniform(0, 0.6),
            pace=rng.uniform(0.05, 0.8),
            phase=rng.uniform(0, 6),
            depth=rng.choice([-1, 1]),
        )
    for _ in range(int(rng.integers(0, 3))):
        mark = outline(rng) * rng.uniform(0.1, 0.25) + rng.uniform(-0.25, 0.25, 2)
        made.add(mark, cover=int(rng.integers(1, 3)), parent=0, depth=2)
    return made.pieces
