"""The scene of one clip: a backdrop, and the objects and other things that move before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.bodies import Piece, body
from examples.train_small_sam2.cutouts import cutout
from examples.train_small_sam2.effects import Look
from examples.train_small_sam2.motion import (
    Motion,
    draw_absence,
    hide_behind,
    hold_camera,
    leave_frame,
    move,
)
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.shapes import blob, outline, rounded
from examples.train_small_sam2.sprites import Layer, Matrix, Sprite, smear
from examples.train_small_sam2.textures import BACKDROPS, Rng, recolour, texture

Ids = npt.NDArray[np.uint8]
"""The visible object at every pixel, 0 where there is none, shape (T, S, S)."""

SMALLEST_SHARE = 0.004
"""Every object covers at least this share of the first frame."""

# An object whose colours differ less, on average, from those it covers is not tracked.
_LEAST_CONTRAST = 14.0

_WORLD = 1.5
# The length of what is not tracked, of the first object and of the others, in frame sides.
_EXTENTS = ((0.04, 0.5), (0.2, 1.1), (0.15, 0.9))
# Untracked things a clip, their share in the textures of another thing, and the share of textures
# that are the backdrop's: who knows an object by its colours alone takes these for it.
_UNTRACKED, _LOOKALIKE, _CAMOUFLAGED = 1.2, 0.6, 0.3

# The generator runs in many processes, each of which should stay on its own core.
cv2.setNumThreads(0)


@dataclass
class _Actor:
    """A sprite with its motion. ``number`` is its id in the clip, 0 for what is not tracked."""

    sprite: Sprite
    motion: Motion
    number: int
    shadow: float = 0.0


class Scene:
    """Everything in one clip, from the back to the front."""

    def __init__(
        self,
        rng: Rng,
        frames: int,
        size: int,
        max_objects: int,
        vanish: bool,
        cutouts: Sequence[Path],
    ) -> None:
        self.rng, self.frames, self.size, self.cutouts = rng, frames, size, cutouts
        side = int(size * _WORLD)
        self.backdrop = texture(rng, side, BACKDROPS)
        self._clutter(side)
        if rng.random() < 0.25:
            self.backdrop = cv2.GaussianBlur(
                self.backdrop, (0, 0), rng.uniform(0.5, 3) * size / 160
            )
        self.camera = hold_camera(rng, frames)
        self.look = Look(rng, frames, size)
        self.smear = rng.uniform(0.3, 1.0) if rng.random() < 0.3 else 0.0
        count = int(rng.integers(1, max_objects + 1))
        self.vanishing = 0
        self.unclear: set[int] = set()
        self.actors: list[_Actor] = []
        if rng.random() < 0.15:
            self.actors.append(self._region(1))
        for number in range(len(self.actors) + 1, count + 1):
            self.actors.append(self._object(number))
        for _ in range(int(rng.poisson(_UNTRACKED))):
            self.actors.append(self._object(0))
        if rng.random() < 0.3:
            self._twin()
        rng.shuffle(self.actors)  # type: ignore[arg-type]
        self.actors.sort(key=lambda actor: not actor.motion.follows_camera or actor.number > 0)
        if rng.random() < 0.2:
            self.actors.append(self._screen(rng.uniform(0.05, 0.25), None))
        if vanish:
            self._vanish()

    def _clutter(self, side: int) -> None:
        """Still things in the backdrop, so that not all that has an outline is an object."""
        rng = self.rng
        if rng.random() < 0.5:
            return
        for _ in range(int(rng.integers(1, 6))):
            extent = rng.uniform(0.05, 0.4)
            pieces = self._body() if rng.random() < 0.2 else [Piece([outline(rng)])]
            sprite = self._sprite(pieces, extent)
            x, y = rng.uniform(0, side, 2)
            scale = extent / 2 * self.size
            place = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
            layer = sprite.draw(place, 0.0, side)
            if layer:
                box, alpha = layer.box, layer.pixels[..., 3:] / 255
                self.backdrop[box] = self.backdrop[box] * (1 - alpha) + layer.pixels[..., :3]

    def _sprite(self, pieces: list[Piece], extent: float, like: Sprite | None = None) -> Sprite:
        """A body in the textures of another, or in fresh ones, at times from the backdrop."""
        rng = self.rng
        density = max(6.0, extent / 2 * self.size * 1.15)
        if any(piece.picture is not None for piece in pieces):
            return Sprite(rng, pieces, [], density)
        if like:
            return Sprite(rng, pieces, like.covers, density)
        span = max(float(np.ptp(np.concatenate(p.contours), axis=0).max()) for p in pieces)
        side = int(np.clip(density * span * 1.3, 24, self.size * 1.2))
        covers = [self._cover(side)]
        used = max(piece.cover for piece in pieces) + 1
        while len(covers) < used:
            covers.append(self._cover(max(16, side // 2)))
        if rng.random() < 0.35 and density > 12:
            self._mark(covers[0])
        return Sprite(rng, pieces, covers, density)

    def _cover(self, side: int) -> Image:
        rng = self.rng
        if rng.random() < _CAMOUFLAGED and side < self.backdrop.shape[0]:
            y, x = rng.integers(0, self.backdrop.shape[0] - side, 2)
            return recolour(rng, self.backdrop[y : y + side, x : x + side].copy(), 0.3)
        return texture(rng, side)

    def _mark(self, cover: Image) -> None:
        """Paint a few patches of another texture onto one: patches of fur, a shirt, a sign."""
        rng, side = self.rng, cover.shape[0]
        other = texture(rng, side)
        mask = np.zeros((side, side), np.uint8)
        for _ in range(int(rng.integers(1, 5))):
            points = blob(rng) * rng.uniform(0.05, 0.3) * side + rng.uniform(0, side, 2)
            cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
        cv2.copyTo(other, mask, cover)

    def _body(self) -> list[Piece]:
        if self.cutouts and self.rng.random() < 0.5:
            return cutout(self.rng, self.cutouts)
        return body(self.rng)

    def _object(self, number: int) -> _Actor:
        rng = self.rng
        pieces = self._body()
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
        textured = [actor.sprite for actor in self.actors if actor.sprite.covers]
        if not number and textured and rng.random() < _LOOKALIKE:
            like = textured[int(rng.integers(len(textured)))]
        actor = _Actor(self._sprite(pieces, extent, like), motion, number, shadow)
        if number and len(pieces) > 2 and rng.random() < 0.12:
            # Only some of its pieces are the object: a head, the wheels, all but the trunk.
            keep = rng.random(len(pieces)) < 0.5
            keep[0] = not keep.any()
            actor.sprite.owners = [number * int(k) for k in keep]
        return actor

    def _region(self, number: int) -> _Actor:
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
        return _Actor(self._sprite(pieces, extent), motion, number)

    def _twin(self) -> None:
        """A second one of an object, not tracked: the same sprite on another path."""
        rng = self.rng
        model = self.actors[int(rng.integers(len(self.actors)))]
        extent = float(model.motion.scale[0]) * 2
        start = tuple(rng.uniform(-0.4, 0.4, 2))
        motion = move(rng, self.frames, extent, start=start, upright=len(model.sprite.pieces) > 1)
        self.actors.append(_Actor(model.sprite, motion, 0))

    def _screen(self, half: float, behind: Motion | None) -> _Actor:
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
        return _Actor(self._sprite(pieces, extent), motion, 0)

    def _vanish(self) -> None:
        """Make one object leave the frame or go behind something in front of all others."""
        rng = self.rng
        # Small ones first: what fills the frame cannot leave it within a few frames.
        tracked = sorted((a for a in self.actors if a.number), key=lambda a: a.motion.scale[0])
        actor = tracked[int(rng.integers((len(tracked) + 1) // 2))]
        if actor.motion.scale.max() > 0.2:
            actor.motion.scale *= 0.2 / actor.motion.scale.max()
        absence = draw_absence(rng, self.frames)
        self.vanishing = actor.number
        reach = 1.15 * float(actor.motion.scale.max()) * _radius(actor.sprite)
        if rng.random() < 0.5:
            leave_frame(rng, actor.motion, absence, reach)
        else:
            screen = self._screen(reach, actor.motion)
            hide_behind(rng, actor.motion, screen.motion, absence, (reach, reach * 1.15))
            self.actors.append(screen)

    def number(self, ids: Ids) -> list[int]:
        """The ids large and clear enough in frame 0; none if the one that vanishes is not."""
        counts = np.bincount(ids.ravel(), minlength=256)
        large = [n for n in range(1, 256) if counts[n] >= SMALLEST_SHARE * ids.size]
        found = [n for n in large if n not in self.unclear]
        return found if not self.vanishing or self.vanishing in found else []

    def vanishes(self, ids: Ids, found: list[int]) -> bool:
        """Whether the object meant to vanish does so in some frame."""
        seen = (ids == found.index(self.vanishing) + 1).any(axis=(1, 2))
        return not seen.all()

    def _to_pixels(self) -> Matrix:
        s = float(self.size)
        return np.array([[s, 0, s / 2 - 0.5], [0, s, s / 2 - 0.5], [0, 0, 1]])

    def _place(self, actor: _Actor, t: int) -> Matrix:
        camera = self.camera.place(t) if actor.motion.follows_camera else np.eye(3)
        return self._to_pixels() @ camera @ actor.motion.place(t)

    def render(self, t: int) -> tuple[Image, Ids]:
        """Frame ``t`` and its ids, by the numbers the actors have."""
        size, side = self.size, self.backdrop.shape[0]
        world = np.array(
            [[1 / size, 0, -0.5 * side / size], [0, 1 / size, -0.5 * side / size], [0, 0, 1]]
        )
        now = self._to_pixels() @ self.camera.place(t) @ world
        back = cv2.warpAffine(
            self.backdrop, now[:2], (size, size), borderMode=cv2.BORDER_REFLECT_101
        )
        frame = back.astype(np.float32)
        if self.smear and t:
            before = self._to_pixels() @ self.camera.place(t - 1) @ world
            frame = smear(frame, self._way(before, now, side / 2))
        ids = np.zeros((size, size), np.uint8)
        for actor in self.actors:
            place = self._place(actor, t)
            way = (0.0, 0.0)
            if self.smear and t:
                way = self._way(self._place(actor, t - 1), place, 0.0)
            layer = actor.sprite.draw(place, float(t), size, way)
            if layer:
                self._paste(frame, ids, layer, actor, t == 0)
        return self.look.apply(frame, t), ids

    def _way(self, before: Matrix, now: Matrix, at: float) -> tuple[float, float]:
        """The way a point smears while the shutter is open, up to a tenth of the side."""
        x, y = ((now - before) @ [at, at, 1])[:2] * self.smear
        if max(abs(x), abs(y)) < 1:
            return 0.0, 0.0
        shrink = min(1.0, 0.1 * self.size / max(abs(x), abs(y)))
        return float(x * shrink), float(y * shrink)

    def _paste(
        self, frame: npt.NDArray[np.float32], ids: Ids, layer: Layer, actor: _Actor, first: bool
    ) -> None:
        alpha = layer.pixels[..., 3]
        if actor.shadow:
            self._darken(frame, layer, actor.shadow)
        under = frame[layer.box]
        covered = alpha > 127.5
        hidden = under[covered] if first and actor.number and covered.any() else None
        under *= (1 - alpha / np.float32(255))[..., None]
        under += layer.pixels[..., :3]
        if hidden is not None and np.abs(under[covered] - hidden).mean() < _LEAST_CONTRAST:
            self.unclear.add(actor.number)
        whole = layer.owner is None or not actor.number
        ids[layer.box][covered] = actor.number if whole else layer.owner[covered]

    def _darken(self, frame: npt.NDArray[np.float32], layer: Layer, strength: float) -> None:
        """A soft shadow just below and beside what is about to be drawn."""
        height, width = layer.pixels.shape[:2]
        reach = max(2, min(height, width) // 6)
        top, left = layer.top + reach, layer.left + reach // 2
        bottom, right = min(self.size, top + height), min(self.size, left + width)
        if bottom <= top or right <= left:
            return
        soft = cv2.blur(layer.pixels[..., 3], (reach | 1, reach | 1))
        soft = soft[: bottom - top, : right - left, None]
        frame[top:bottom, left:right] *= 1 - soft * np.float32(strength / 255)


def _radius(sprite: Sprite) -> float:
    """How far a sprite's outlines reach from its centre, before its limbs move."""
    points = np.concatenate([c for piece in sprite.pieces for c in piece.contours])
    return float(np.hypot(points[:, 0], points[:, 1]).max())
