"""The scene of one clip: a backdrop, and the objects and other things that move before it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from examples.train_small_sam2.actors import Actor, Casting
from examples.train_small_sam2.backdrop import make_backdrop
from examples.train_small_sam2.effects import Look
from examples.train_small_sam2.motion import draw_absence, hide_behind, hold_camera, leave_frame
from examples.train_small_sam2.photos import Image
from examples.train_small_sam2.sprites import Layer, Matrix, Sprite, smear
from examples.train_small_sam2.textures import Rng

Ids = npt.NDArray[np.uint8]
"""The visible object at every pixel, 0 where there is none, shape (T, S, S)."""

SMALLEST_SHARE = 0.004
"""Every object covers at least this share of the first frame."""

# An object whose colours differ less, on average, from those it covers is not tracked.
_LEAST_CONTRAST = 14.0

# Untracked things in a clip, on average.
_UNTRACKED = 1.2

# The generator runs in many processes, each of which should stay on its own core.
cv2.setNumThreads(0)


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
        self.size = size
        self.backdrop = make_backdrop(rng, size, cutouts)
        self.camera = hold_camera(rng, frames)
        self.look = Look(rng, frames, size)
        self.smear = rng.uniform(0.3, 1.0) if rng.random() < 0.3 else 0.0
        count = int(rng.integers(1, max_objects + 1))
        self.vanishing = 0
        self.unclear: set[int] = set()
        self.actors: list[Actor] = []
        casting = Casting(rng, frames, size, self.backdrop, cutouts)
        if rng.random() < 0.15:
            self.actors.append(casting.region(1))
        for number in range(len(self.actors) + 1, count + 1):
            self.actors.append(casting.thing(number, self.actors))
        for _ in range(int(rng.poisson(_UNTRACKED))):
            self.actors.append(casting.thing(0, self.actors))
        if rng.random() < 0.3:
            self.actors.append(casting.twin(self.actors))
        rng.shuffle(self.actors)  # type: ignore[arg-type]
        self.actors.sort(key=lambda actor: not actor.motion.follows_camera or actor.number > 0)
        if rng.random() < 0.2:
            self.actors.append(casting.screen(rng.uniform(0.05, 0.25), None))
        if vanish:
            self._vanish(casting)

    def _vanish(self, casting: Casting) -> None:
        """Make one object leave the frame or go behind something in front of all others."""
        rng = casting.rng
        # Small ones first: what fills the frame cannot leave it within a few frames.
        tracked = sorted((a for a in self.actors if a.number), key=lambda a: a.motion.scale[0])
        actor = tracked[int(rng.integers((len(tracked) + 1) // 2))]
        if actor.motion.scale.max() > 0.2:
            actor.motion.scale *= 0.2 / actor.motion.scale.max()
        absence = draw_absence(rng, casting.frames)
        self.vanishing = actor.number
        reach = 1.15 * float(actor.motion.scale.max()) * _radius(actor.sprite)
        if rng.random() < 0.5:
            leave_frame(rng, actor.motion, absence, reach)
        else:
            screen = casting.screen(reach, actor.motion)
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

    def _place(self, actor: Actor, t: int) -> Matrix:
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
        self, frame: npt.NDArray[np.float32], ids: Ids, layer: Layer, actor: Actor, first: bool
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
