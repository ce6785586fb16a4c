"""Does a teacher that warps maps see how the video moves? A check that needs no labels."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.ops.photometric import colours_on_grid, photometric_consistency
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import propagator_errors, warp_maps
from ditta_adapt.teachers.propagator import DenseWarper, Propagator

MARGIN = 0.1
"""How much worse than standing still a teacher may carry colours: noise costs a little."""

_PAIRS, _GRID = 8, 128


@dataclass(frozen=True, slots=True)
class WarpCheck:
    """How well colours fit, mean photometric consistency over some pairs of frames.

    Attributes:
        carried: as the teacher carries them.
        still: as if nothing moved.
    """

    carried: float
    still: float

    @property
    def good(self) -> bool:
        """Whether carrying is no worse than standing still."""
        return self.carried >= self.still - MARGIN


def check_warp(
    session: DenseWarper,
    frames: Sequence[UInt8[Tensor, "3 H W"]],
    *,
    tolerance: float,
) -> WarpCheck:
    """Warp the colours of up to eight frames, spread over the video, to the next one.

    They are carried on a grid of at most 128 cells a side, whatever the model's: on a very coarse
    one colours say little.

    Args:
        session: of the teacher on these frames.
        frames: with a single one there is nothing to carry, and both means are 1.
        tolerance: see `photometric_consistency`.

    Raises:
        PropagationError: the teacher raised, or what it returned does not fit.
    """
    last = len(frames) - 1
    starts = sorted(
        {round(k * (last - 1) / max(_PAIRS - 1, 1)) for k in range(_PAIRS)} & set(range(last))
    )
    if not starts:
        return WarpCheck(1.0, 1.0)
    height, width = frames[0].shape[1:]
    scale = min(1.0, _GRID / max(height, width))
    grid = (max(round(height * scale), 1), max(round(width * scale), 1))
    everywhere = torch.ones(grid, dtype=torch.bool)
    carried = still = 0.0
    for t in starts:
        before, after = (colours_on_grid(frames[s].cpu(), grid) for s in (t, t + 1))
        moved, valid = (x.cpu() for x in warp_maps(session, before, t, t + 1))
        carried += float(photometric_consistency(moved, after, valid, tolerance=tolerance).mean())
        still += float(
            photometric_consistency(before, after, everywhere, tolerance=tolerance).mean()
        )
    return WarpCheck(carried / len(starts), still / len(starts))


@contextmanager
def choose_by_propagator(
    config: AdaptConfig, propagator: Propagator, warm_up: WarmUp, *, taught: bool
) -> Iterator[tuple[AdaptConfig, str]]:
    """Decide what the configuration leaves to the teacher: `"auto"` add-on and targets.

    A teacher whose `warp` does not fit the video is treated as one that cannot carry, unless
    `config.accept` is `"always"`. What is computed to find out is shared with the sessions that
    are opened inside. A teacher that is not needed is not opened.

    Args:
        config: as given.
        propagator: the teacher.
        warm_up: what it is judged by.
        taught: whether the targets come from it.

    Yields:
        The configuration with `addon` decided, and in plain words what was found wrong, or `""`.

    Raises:
        PropagationError: the teacher raised, or broke its contract.
    """
    checked = config.accept == "checked"
    if config.addon not in ("auto", "carried") and not (
        checked and taught and config.targets == "auto"
    ):
        yield config, ""
        return
    with ExitStack() as stack:
        with propagator_errors("open"):
            session = stack.enter_context(propagator.open(warm_up.video))
        if not isinstance(session, DenseWarper):
            stack.close()
            yield _decided(config, carries=False), ""
            return
        fit, tolerance = None, config.photometric_tolerance
        if checked:
            fit = check_warp(session, warm_up.frames, tolerance=tolerance)
        if fit is None or fit.good:
            yield _decided(config, carries=True), ""
            return
        without = replace(
            config,
            addon="none" if config.addon == "carried" else config.addon,
            targets="masks" if config.targets == "auto" else config.targets,
        )
        yield (
            _decided(without, carries=False),
            f"the teacher's warping is not used, since colours fit worse with it "
            f"({fit.carried:.2f}) than if nothing moved ({fit.still:.2f})",
        )


def _decided(config: AdaptConfig, *, carries: bool) -> AdaptConfig:
    if config.addon != "auto":
        return config
    return replace(config, addon="carried" if carries else "residual")
