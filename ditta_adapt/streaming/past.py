"""What the frames before say of the next one."""

from contextlib import suppress
from dataclasses import replace

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import WarpedVotes
from ditta_adapt.errors import PropagationError
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.safety.memory_length import TESTED, MemoryLength
from ditta_adapt.streaming.carried import Carried, Said, carry
from ditta_adapt.streaming.memory import past_votes
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.trial import Trial
from ditta_adapt.teachers.live_warper import LiveWarper
from ditta_adapt.teachers.propagator import Propagator


class Past:
    """Votes of a stream, warped along one session of a propagator.

    Args:
        propagator: warps maps.
        options: of the memory.
    """

    def __init__(self, propagator: Propagator, options: WarpedVotes) -> None:
        self._warper, self._options = LiveWarper(propagator), options

    def begin(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        """Take the first frame of a video, or the last one that was seen.

        Raises:
            PropagationError: the propagator raised when the video before was closed.
        """
        self._warper.start(frame)

    def begin_again(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        """The same after an error: the session may be broken, and what matters is why."""
        with suppress(PropagationError):
            self._warper.start(frame)

    def show(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        """Take the next frame. What the propagator can do beside the image model begins now.

        Raises:
            PropagationError: the propagator raised.
        """
        self._warper.advance(frame)

    def look_back(
        self, before: StreamState, frame: UInt8[Tensor, "3 H W"], decay: float, *, warp: bool
    ) -> tuple[
        Float[Tensor, "C h w"] | None, Float[Tensor, "3 h w"] | None, Float[Tensor, ""] | None
    ]:
        """Votes so far as they count in the frame last shown, its colours, and how well they fit.

        Args:
            before: the state after the frame before it; nothing is known if it has no votes.
            frame: that was last shown.
            decay: of the votes.
            warp: whether the past counts; without, there are colours only.

        Raises:
            PropagationError: the propagator raised, or broke its contract.
        """
        if before.votes is None or before.colours is None:
            return None, None, None
        colours = colours_on_grid(frame, (before.votes.shape[1], before.votes.shape[2]))
        if not warp:
            return None, colours, None
        options = replace(self._options, decay=decay)
        past, fit = past_votes(self._warper.warp, before.votes, before.colours, colours, options)
        return past, colours, fit

    def carry(self, said: Said | None, num_classes: int) -> Carried | None:
        """What everybody said of the frame before, where it lies on the one last shown.

        Raises:
            PropagationError: the propagator raised, or broke its contract.
        """
        return None if said is None else carry(said, self._warper.warp, num_classes)

    def tried(
        self,
        before: StreamState,
        length: MemoryLength,
        colours: Float[Tensor, "3 h w"] | None,
        logits: Float[Tensor, "1 C h w"],
        *,
        adapted: bool,
        judged: bool,
        goes_on: bool,
    ) -> tuple[MemoryLength, Trial | None]:
        """The length of the memory in the frame last shown, and its trial; none once that is over.

        Args:
            before: the state after the frame before it.
            length: of the memory.
            colours: of the frame, on the grid of the logits.
            logits: of the model whose votes are remembered.
            adapted: whether that is the adapted one.
            judged: whether second looks decide what the memory is worth.
            goes_on: whether the frame still belongs to what is remembered.

        Raises:
            PropagationError: the propagator raised, or broke its contract.
        """
        if not length.goes_on(judged=judged):
            return length, None
        trial, tested = before.trial, before.length
        if trial is not None and trial.adapted != adapted:
            # What was predicted of another model's labels says nothing of this one's.
            length, trial = replace(length, left=TESTED, differences=()), None
        if tested is None or tested.halvings != length.halvings:
            # The votes of a longer memory would speak for a while.
            trial = None
        if trial is None or before.colours is None or colours is None or not goes_on:
            return length, Trial.begin(logits, adapted=adapted)
        options = replace(self._options, decay=length.decay)
        return length, trial.next(self._warper.warp, before.colours, colours, options, logits)

    def close(self) -> None:
        """End the session.

        Raises:
            PropagationError: the propagator raised.
        """
        self._warper.close()
