"""Bodies: objects put together from pieces that hang on each other and swing or turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.shapes import Outline, blob, ellipse, limb, outline, rounded
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
class _Assembly:
    """Collects pieces; ``joint`` adds one that swings."""

    rng: Rng
    pieces: list[Piece] = field(default_factory=list)

    def add(self, *contours: Outline, **rest: object) -> int:
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


def _quadruped(rng: Rng) -> list[Piece]:
    made = _Assembly(rng)
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


def _person(
    made: _Assembly, base: tuple[float, float], scale: float, *, lean: float, seated: bool
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


def _biped(rng: Rng) -> list[Piece]:
    made = _Assembly(rng)
    _person(made, (0.0, 0.05), rng.uniform(0.95, 1.1), lean=rng.normal(0, 0.12), seated=False)
    if rng.random() < 0.3:
        box = rounded(np.array([[-0.1, 0], [0.1, 0], [0.12, 0.22], [-0.12, 0.22]]), 1)
        hand = np.array([rng.uniform(0.1, 0.35), rng.uniform(-0.3, 0.2)])
        made.add(box + hand, cover=2, parent=0, depth=2)
    return made.pieces


def _wheel(made: _Assembly, x: float, y: float, radius: float, spin: float, *, thin: bool) -> None:
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


def _vehicle(rng: Rng) -> list[Piece]:
    made = _Assembly(rng)
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


def _cyclist(rng: Rng) -> list[Piece]:
    made = _Assembly(rng)
    radius, gap = rng.uniform(0.28, 0.36), rng.uniform(0.45, 0.55)
    _person(made, (-0.15, 0.0), rng.uniform(0.75, 0.9), lean=rng.uniform(0.1, 0.7), seated=True)
    spin, thin = rng.uniform(-0.6, 0.6), rng.random() < 0.75
    for x in (-gap, gap):
        _wheel(made, x, 0.55, radius, spin, thin=thin)
    thick = rng.uniform(0.025, 0.05) * (1 if thin else 2.5)
    joints = [(-gap, 0.55), (0.0, 0.55), (-0.15, 0.1), (0.35, 0.08), (gap, 0.55)]
    for a, b in ((0, 1), (1, 2), (0, 2), (2, 3), (1, 3), (3, 4)):
        made.add(limb(joints[a], joints[b], thick, thick), cover=2, depth=0.1)
    return made.pieces


def _bird(rng: Rng) -> list[Piece]:
    """A body with a tail and wings or fins: bird, fish, aeroplane."""
    made = _Assembly(rng)
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


def _creature(rng: Rng) -> list[Piece]:
    """Something with a trunk and a few limbs anywhere."""
    made = _Assembly(rng)
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


def _single(rng: Rng) -> list[Piece]:
    return [Piece([outline(rng)], soft=True)]


_KINDS: tuple[tuple[Callable[[Rng], list[Piece]], float], ...] = (
    (_single, 0.38),
    (_quadruped, 0.15),
    (_biped, 0.14),
    (_vehicle, 0.1),
    (_cyclist, 0.05),
    (_bird, 0.06),
    (_creature, 0.12),
)


def body(rng: Rng) -> list[Piece]:
    """A random body. Its first piece is the trunk."""
    kinds, weights = zip(*_KINDS, strict=True)
    return kinds[int(rng.choice(len(kinds), p=weights))](rng)
