"""What runs on wheels: cars, and bicycles with their riders."""

from itertools import pairwise

import numpy as np

from examples.train_small_sam2.bodies.people import person
from examples.train_small_sam2.bodies.pieces import Assembly, Piece
from examples.train_small_sam2.shapes import ellipse, limb, rounded
from examples.train_small_sam2.textures import Rng


def _wheel(made: Assembly, x: float, y: float, radius: float, spin: float, *, thin: bool) -> None:
    rim = ellipse(x, y, radius, radius)
    ring = 0.86 if thin else 0.6
    wheel = {"pivot": (x, y), "spin": spin}
    made.add(rim, ellipse(x, y, radius * ring, radius * ring), cover=1, depth=0.8, **wheel)
    if not thin:
        made.add(ellipse(x, y, radius * 0.62, radius * 0.62), cover=2, depth=0.81, **wheel)
    spokes = []
    for turn in np.linspace(0, np.pi, int(made.rng.integers(2, 5)), endpoint=False):
        dx, dy = radius * 0.9 * np.cos(turn), radius * 0.9 * np.sin(turn)
        spokes.append(limb((x - dx, y - dy), (x + dx, y + dy), radius * 0.04, radius * 0.04))
    for spoke in spokes:
        made.add(spoke, cover=1, depth=0.82, **wheel)


def vehicle(rng: Rng) -> list[Piece]:
    """A hull with a cabin and panes, on two or three wheels."""
    made = Assembly(rng)
    tall, roof = rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.5)
    front, back = rng.uniform(0.0, 0.5), rng.uniform(0.0, 0.4)
    hull = np.array([[-1, tall], [-1, 0], [1 - front / 3, -0.05], [1, tall]])
    made.add(rounded(hull, 2))
    cabin = np.array(
        [[-0.9 + back, 0.1], [-0.8 + back, -roof], [0.75 - front, -roof], [0.9 - front, 0.1]]
    )
    made.add(rounded(cabin, 1), cover=int(rng.choice([0, 0, 2])), depth=-0.1)
    panes = int(rng.integers(1, 5))
    edges = np.linspace(-0.75 + back, 0.7 - front, panes + 1)
    for left, right in pairwise(edges.tolist()):
        pane = np.array(
            [
                [left + 0.04, -0.05],
                [left + 0.04, -roof * 0.8],
                [right - 0.04, -roof * 0.8],
                [right - 0.04, -0.05],
            ]
        )
        made.add(rounded(pane, 1), cover=2, depth=0.2)
    spin, radius = rng.uniform(-0.6, 0.6), rng.uniform(0.15, 0.25)
    for x in (-0.6, 0.6, 0.15)[: int(rng.choice([2, 2, 2, 3]))]:
        _wheel(made, x, tall, radius, spin, thin=False)
    return made.pieces


def cyclist(rng: Rng) -> list[Piece]:
    """A rider on a bicycle or a motorcycle."""
    made = Assembly(rng)
    radius, gap = rng.uniform(0.28, 0.36), rng.uniform(0.45, 0.55)
    person(made, (-0.15, 0.0), rng.uniform(0.75, 0.9), lean=rng.uniform(0.1, 0.7), seated=True)
    spin, thin = rng.uniform(-0.6, 0.6), rng.random() < 0.75
    for x in (-gap, gap):
        _wheel(made, x, 0.55, radius, spin, thin=thin)
    thick = rng.uniform(0.025, 0.05) * (1 if thin else 2.5)
    joints = [(-gap, 0.55), (0.0, 0.55), (-0.15, 0.1), (0.35, 0.08), (gap, 0.55)]
    for a, b in ((0, 1), (1, 2), (0, 2), (2, 3), (1, 3), (3, 4)):
        made.add(limb(joints[a], joints[b], thick, thick), cover=2, depth=0.1)
    return made.pieces
