"""Teachers that each break a rule: the flow teacher, bent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import Frame, Masks, Prompt
from tests.testing.bent_answers import (
    DropsAtTheBorder,
    EvenSizes,
    FillsFromTheBorder,
    FloatMasks,
    HalfSize,
    PlainTuple,
    Random,
    ShortIds,
    SortedIds,
    SqueezesPadding,
)
from tests.testing.good_propagator import GoodPropagator, Session


class NoPropagate:
    def __init__(self, inner: Any) -> None:
        self.prompt = inner.prompt


class NeedsAPrompt(Session):
    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        return super().prompt(prompts[0] and t, prompts)


class NeedsArea(Session):
    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        if any(prompt.region.sum() < 4 for prompt in prompts):
            raise ValueError("region too small")
        return super().prompt(t, prompts)


class NeedsBackground(Session):
    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        for prompt in prompts:
            _ = (~prompt.region).nonzero()[0]
        return super().prompt(t, prompts)


class RowBeforeColumn(Session):
    """Starts from a box around the point, with x and y exchanged."""

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        moved = []
        for prompt in prompts:
            (y, x), region = prompt.point, torch.zeros_like(prompt.region)
            region[max(y - 14, 0) : y + 15, max(x - 14, 0) : x + 15] = True
            moved.append(Prompt(prompt.object_id, prompt.point, region))
        return super().prompt(t, moved)


class Still(Session):
    """Masks stay where they are when they are followed one way."""

    def stays(self, t: int, to: int) -> bool:
        raise NotImplementedError

    def propagate(self, t: int, to: int) -> Any:
        held = self.inner._masks
        masks = super().propagate(t, to)
        if not self.stays(t, to):
            return masks
        self.inner._masks = held
        return Masks(masks.object_ids, held.clone())


class StillForward(Still):
    def stays(self, t: int, to: int) -> bool:
        return to > t


class StillBackward(Still):
    def stays(self, t: int, to: int) -> bool:
        return to < t


class StartsAgain(Session):
    """A new object resets all others to where they were first prompted."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.first: Tensor | None = None

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        masks = super().prompt(t, prompts)
        if self.first is not None:
            self.inner._masks[: len(self.first)] = self.first
        self.first = self.inner._masks.clone()
        return Masks(masks.object_ids, self.first.clone())


class WritesToRegions(Session):
    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Any:
        masks = super().prompt(t, prompts)
        for prompt in prompts:
            prompt.region.zero_()
        return masks


class NoValidMask(Session):
    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        moved, valid = super().warp(maps, t, to)
        return moved, valid.float()


class CarriesInPlace(Session):
    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        moved, valid = super().warp(maps, t, to)
        return maps.copy_(moved), valid


class FrameSizeOnly(Session):
    """Stretches whatever it is given to the frames' size first."""

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        size = self.inner._video.size
        if maps.shape[1:] != size and len(maps):
            maps = F.interpolate(maps[None], size)[0]
        return super().warp(maps, t, to)


class FrameSizeAsserted(Session):
    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        if maps.shape[1:] != self.inner._video.size:
            raise ValueError("the maps do not fit the frames")
        return super().warp(maps, t, to)


class Transposes(Session):
    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        moved, valid = super().warp(maps, t, to)
        return moved.flip(1), valid


class ArraysOnly(GoodPropagator):
    @contextmanager
    def open(self, frames: Sequence[Any]) -> Iterator[Any]:
        with super().open([frame.astype("uint8") for frame in frames]) as session:
            yield session


class WritesToFrames(GoodPropagator):
    @contextmanager
    def open(self, frames: Sequence[Any]) -> Iterator[Any]:
        with super().open(frames) as session:
            yield session
        frames[-1][:] = 0


class OneSessionForAll(GoodPropagator):
    current: Any = None

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        if self.current is not None:
            yield self.current
            return
        with super().open(frames) as session:
            self.current = session
            try:
                yield session
            finally:
                self.current = None


class SwallowsExceptions(GoodPropagator):
    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        try:
            with super().open(frames) as session:
                yield session
        except Exception:
            pass


class StaysBusy(GoodPropagator):
    """Counts itself as open for ever once a session failed."""

    failed = False

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        if self.failed:
            raise RuntimeError("busy")
        self.failed = True
        with super().open(frames) as session:
            self.failed = False
            try:
                yield session
            except Exception:
                self.failed = True
                raise


class KeepsFrames(GoodPropagator):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Frame] = []

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        self.seen += frames
        with super().open(frames) as session:
            yield session


class KeepsTensors(GoodPropagator):
    def __init__(self) -> None:
        super().__init__()
        self.features: list[Tensor] = []

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        self.features.append(torch.zeros(3))
        with super().open(frames) as session:
            yield session


class CountsInOpen(GoodPropagator):
    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        with super().open(tuple(frames)) as session:
            yield session


class ReadsTheFirstFrame(Session):
    def propagate(self, t: int, to: int) -> Any:
        _ = self.inner._video.frames[0]
        return super().propagate(t, to)


class LooksAhead(Session):
    """Where the next frame is there already, it says so in the masks."""

    def propagate(self, t: int, to: int) -> Any:
        masks = super().propagate(t, to)
        if to == 2 and len(self.inner._video.frames) > 3:
            masks.masks[:, 40] = False
        return masks


class NoContext:
    def open(self, frames: Sequence[Frame]) -> Any:
        return Session(None)


def _with(session: Callable[[Any], Any]) -> Callable[[], GoodPropagator]:
    return lambda: GoodPropagator(session)


BROKEN: dict[str, tuple[Callable[[], object], set[str]]] = {
    "returns nothing": (lambda: None, {"builds"}),
    "returns the class": (lambda: GoodPropagator, {"builds"}),
    "no context": (NoContext, {"builds"}),
    "no propagate": (_with(NoPropagate), {"builds"}),
    "float masks": (_with(FloatMasks), {"masks"}),
    "half size": (_with(HalfSize), {"masks"}),
    "plain tuple": (_with(PlainTuple), {"masks"}),
    "sorted ids": (_with(SortedIds), {"ids"}),
    "short ids": (_with(ShortIds), {"ids"}),
    "drops at the border": (_with(DropsAtTheBorder), {"one_pixel", "full_frame", "leaving_object"}),
    "fills from the border": (_with(FillsFromTheBorder), {"leaving_object"}),
    "squeezes padding": (_with(SqueezesPadding), {"odd_sizes", "warp_still"}),
    "even sizes": (_with(EvenSizes), {"odd_sizes"}),
    "random": (
        _with(Random),
        {"repeatable", "tensor_frames", "independent_sessions", "after_exception", "live_frames"},
    ),
    "needs a prompt": (_with(NeedsAPrompt), {"no_prompt"}),
    "needs area": (_with(NeedsArea), {"one_pixel"}),
    "needs background": (_with(NeedsBackground), {"full_frame"}),
    "row before column": (_with(RowBeforeColumn), {"prompted_object"}),
    "still forward": (_with(StillForward), {"forward"}),
    "still backward": (_with(StillBackward), {"backward"}),
    "starts again": (_with(StartsAgain), {"late_object"}),
    "writes to regions": (_with(WritesToRegions), {"inputs_untouched"}),
    "no valid mask": (_with(NoValidMask), {"warp_contract"}),
    "carries in place": (_with(CarriesInPlace), {"warp_contract"}),
    "carries at frame size": (_with(FrameSizeOnly), {"warp_contract"}),
    "carries at no other size": (_with(FrameSizeAsserted), {"warp_contract"}),
    "transposes": (_with(Transposes), {"warp_still"}),
    "arrays only": (ArraysOnly, {"tensor_frames", "live_frames"}),
    "writes to frames": (WritesToFrames, {"inputs_untouched"}),
    "one session for all": (OneSessionForAll, {"independent_sessions", "after_exception"}),
    "swallows exceptions": (SwallowsExceptions, {"after_exception"}),
    "stays busy": (StaysBusy, {"after_exception"}),
    "keeps frames": (KeepsFrames, {"closing_frees"}),
    "counts the frames in open": (CountsInOpen, {"live_frames"}),
    "reads the first frame": (_with(ReadsTheFirstFrame), {"live_frames"}),
    "looks ahead": (_with(LooksAhead), {"live_frames"}),
    "keeps tensors": (KeepsTensors, {"closing_frees"}),
}
"""Factory, and the checks that must fail, no more and no fewer."""
