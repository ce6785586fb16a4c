"""Rules on a propagator's sessions: apart from each other, repeatable, and gone when closed."""

import gc
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.testing.propagator_case import PropagatorCase, follow, require_same_tracks
from ditta_adapt.testing.propagator_mask_rules import CONTRACT
from ditta_adapt.testing.rule import require, rule, skip
from ditta_adapt.testing.shapes_video import LATE, MOVER

# Of pixels: a still video may lose a thin border, and no more, to interpolation.
_STILL_VALID, _STILL_ERROR = 0.9, 0.05
# A pixel over what divides by 32, where padding is largest.
_JUST_OVER = (65, 97)


@rule(hint="Seed what is random, per session.", needs=CONTRACT)
def repeatable(case: PropagatorCase) -> None:
    """The same calls in a second session give the same masks, pixel for pixel."""
    propagator = case.factory()
    first, second = (_short_run(case, propagator) for _ in range(2))
    require_same_tracks(second, first, "a second session with the same calls")


@rule(
    hint="Keep ids and masks in the session; share between sessions only what depends on the "
    "frames alone.",
    needs=CONTRACT,
)
def independent_sessions(case: PropagatorCase) -> None:
    """Two sessions that are open at once know nothing of each other's objects."""
    shapes = (MOVER, LATE)
    alone = [_short_run(case, case.factory(), shape) for shape in shapes]
    propagator, frames = case.factory(), case.frames()
    with case.open(propagator, frames) as one, case.open(propagator, frames) as other:
        sessions: tuple[Any, ...] = (one, other)
        found: list[dict[int, Tensor]] = []
        for session, shape in zip(sessions, shapes, strict=True):
            found.append({0: session.prompt(0, [case.prompt(shape, 0, 1)]).masks.cpu()})
        for t in (1, 2):
            for tracks, session in zip(found, sessions, strict=True):
                tracks[t] = session.propagate(t - 1, t).masks.cpu()
    for tracks, expected in zip(found, alone, strict=True):
        good = all(tracks[t].shape == expected[t].shape for t in expected)
        require(good, "a session returned objects of another one.")
        require_same_tracks(tracks, expected, "a session beside another one, against alone")


@rule(
    hint="Yield inside try/finally and let the exception through: return nothing true from "
    "__exit__, and catch nothing around the yield.",
    needs=CONTRACT,
)
def after_exception(case: PropagatorCase) -> None:
    """An exception inside a session comes out of it, and harms neither open nor later sessions."""
    expected = _short_run(case, case.factory())
    propagator = case.factory()
    with case.open(propagator) as outer:
        found = {0: outer.prompt(0, [case.prompt(MOVER, 0, 1)]).masks.cpu()}
        swallowed = True
        try:
            with case.open(propagator) as session:
                session.prompt(0, [case.prompt(LATE, 0, 9)])
                raise _Interruption
        except _Interruption:
            swallowed = False
        require(not swallowed, "an exception raised inside a session was swallowed.")
        for t in (1, 2):
            found[t] = outer.propagate(t - 1, t).masks.cpu()
    require_same_tracks(found, expected, "a session in which another one failed")
    require_same_tracks(_short_run(case, propagator), expected, "a session after a failed one")


@rule(
    hint="Drop frames, features and masks in a finally block of open; the propagator keeps only "
    "its model.",
    needs=CONTRACT,
)
def closing_frees(case: PropagatorCase) -> None:
    """After a session is closed and let go, its frames and tensors are gone."""
    propagator = case.factory()
    # The first one may load the model.
    _short_run(case, propagator)
    kept: list[weakref.ref[Any]] = []
    # What was there before need not be looked through, which may take seconds.
    gc.freeze()
    tensors: list[int] = []
    try:
        for _ in range(3):
            frames = _FrameList(case.frames())
            kept += [weakref.ref(thing) for thing in (frames, *frames)]
            _short_run(case, propagator, frames=frames)
            del frames
            gc.collect()
            # By type: isinstance would wake up lazy proxies of other libraries.
            tensors.append(sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()))
    finally:
        gc.unfreeze()
    alive = sum(reference() is not None for reference in kept)
    require(alive == 0, f"{alive} of {len(kept)} frames and lists of closed sessions are kept.")
    # A library may replace a cache of its own; what matters is that nothing piles up.
    left = tensors[-1] - tensors[0]
    require(left <= 0, f"every closed session leaves tensors behind: {left} more after two.")


@rule(
    hint="Ask for len(frames) at every step, and read only the two frames of that step; in open, "
    "neither copy nor count the frames.",
    needs=CONTRACT,
)
def live_frames(case: PropagatorCase) -> None:
    """Frames may come one at a time, and old ones go: the masks are as if all were kept."""
    tracks: list[dict[int, Tensor]] = []
    for keep, ahead in ((case.last + 1, case.last + 1), (2, 1)):
        video, live = case.frames(), LiveFrames(keep=keep)
        for frame in video[:ahead]:
            live.append(frame)
        with case.open(frames=live) as session:
            found = {0: session.prompt(0, [case.prompt(MOVER, 0, 1)]).masks.cpu()}
            for t in range(1, len(video)):
                if t == len(live):
                    live.append(video[t])
                found[t] = session.propagate(t - 1, t).masks.cpu()
        tracks.append(found)
    require_same_tracks(tracks[1], tracks[0], "frames that come one at a time, against all at once")


@rule(
    hint="warp takes (K, h, w) float maps on any grid over the whole frame, at frame size or "
    "coarser, and returns moved maps of that shape and dtype, and a (h, w) bool mask of the cells "
    "that have a source; it does not write to its input.",
    needs=CONTRACT,
)
def warp_contract(case: PropagatorCase) -> None:
    """`warp`, if there is one, keeps shape and dtype, says what is valid, and is finite there."""
    height, width = case.video.truth.shape[2:]
    frame, half = (height, width), (height // 2, width // 2)
    with case.open() as session:
        _skip_without_warp(session)
        for count, size, (t, to) in (
            (1, frame, (0, 1)),
            (3, frame, (1, 0)),
            (0, frame, (1, 2)),
            (3, half, (0, 1)),
        ):
            maps = torch.rand(count, *size, device="cpu")
            kept = maps.clone()
            moved, valid = session.warp(maps, t, to)
            require(torch.equal(maps, kept), "warp changed the maps it was given.")
            for name, tensor, shape, dtype in (
                ("maps", moved, (count, *size), torch.float32),
                ("valid", valid, size, torch.bool),
            ):
                shown = f"{tuple(tensor.shape)} {tensor.dtype}"
                good = tuple(tensor.shape) == shape and tensor.dtype == dtype
                require(good, f"warp returned {name} as {shown}; expected {shape} {dtype}.")
            good = bool(torch.isfinite(moved.cpu()[:, valid.cpu()]).all())
            require(good, "warp returned values that are not finite at valid pixels.")


@rule(
    hint="Check the sampling grid: an offset of half a pixel, x and y exchanged, or padding that "
    "is not cropped, shows here.",
    needs=("warp_contract",),
)
def warp_still(case: PropagatorCase) -> None:
    """In a video in which nothing moves, `warp` is near to the identity, at odd sizes too."""
    frame = case.video.frames[0]
    for still in (frame, frame[: _JUST_OVER[0], : _JUST_OVER[1]]):
        _require_still(case, still)


def _require_still(case: PropagatorCase, frame: np.ndarray) -> None:
    height, width = frame.shape[:2]
    down, right = (torch.linspace(0, 1, side, device="cpu") for side in (height, width))
    whole = (height, width)
    maps = torch.stack([down[:, None].expand(whole), right.expand(whole).square()])
    with case.open(frames=[frame, frame.copy()]) as session:
        _skip_without_warp(session)
        moved, valid = (answer.cpu() for answer in session.warp(maps.clone(), 0, 1))
    share = float(valid.float().mean())
    require(share >= _STILL_VALID, f"only {share:.0%} of the pixels of a still video are valid.")
    error = float((moved - maps)[:, valid].abs().mean())
    require(error <= _STILL_ERROR, f"maps in [0, 1] move by {error:.2f} on average.")


class _Interruption(Exception):
    """Raised on purpose."""


class _FrameList(list[Frame]):
    """A list that can be weakly referenced."""


def _short_run(
    case: PropagatorCase, propagator: Any, shape: int = MOVER, frames: list[Any] | None = None
) -> dict[int, Tensor]:
    """One object over three frames, in a session of its own."""
    video: list[Frame] = case.frames() if frames is None else frames
    with case.open(propagator, video) as session:
        return follow(session, video, range(3), {0: [case.prompt(shape, 0, 1)]})


def _skip_without_warp(session: Any) -> None:
    if not isinstance(session, DenseWarper):
        skip("the session has no warp")
