"""Maps warped from frame to frame of a video that is still coming in."""

from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ditta_adapt.errors import InputError, PropagationError
from ditta_adapt.teachers.checked_calls import propagator_errors, require_warper, warp_maps
from ditta_adapt.teachers.held_session import HeldSession
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.propagator import DenseWarper, Propagator


class LiveWarper:
    """One session of a propagator on a whole stream of frames, of which it keeps the last two.

    The session is opened by the first `warp`, and closed by `start`, `close`, or when this object
    is garbage. After any error `start` begins anew, such as on the frame before the one that
    failed.

    Args:
        propagator: one whose sessions can warp maps.
    """

    def __init__(self, propagator: Propagator) -> None:
        self._propagator = propagator
        self._frames = LiveFrames(keep=2)
        self._held: HeldSession | None = None

    def __getstate__(self) -> dict[str, object]:
        # A copy opens a session of its own, from the last frame on.
        return {**vars(self), "_held": None}

    def start(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        """Begin a new video with its first frame.

        Raises:
            PropagationError: the propagator raised when the video before was closed.
        """
        try:
            self.close()
        finally:
            self._frames.append(frame.permute(1, 2, 0))

    def advance(self, frame: UInt8[Tensor, "3 H W"]) -> None:
        """Take the next frame of the video.

        A session that has a method `expect(t, to)` is told that maps will be warped to it.

        Raises:
            InputError: there was no `start`.
            PropagationError: the propagator raised.
        """
        if not len(self._frames):
            raise InputError("there is no video yet: call start with its first frame.")
        if self._held is None:
            # A session that is opened later is not to find that its first frames are gone.
            before = self._frames[len(self._frames) - 1]
            self._frames = LiveFrames(keep=2)
            self._frames.append(before)
        self._frames.append(frame.permute(1, 2, 0))
        if self._held is not None and hasattr(self._held.session, "expect"):
            last = len(self._frames) - 1
            with propagator_errors(f"expect({last - 1}, {last})"):
                self._held.session.expect(last - 1, last)

    def warp(
        self, maps: Float[Tensor, "K h w"]
    ) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
        """Move maps on the frame before the last one to the last one; see `DenseWarper.warp`.

        Args:
            maps: on any grid over the whole frame.

        Returns:
            The maps, and which of their cells have a valid source.

        Raises:
            InputError: fewer than two frames have come.
            PropagationError: the propagator raised, cannot warp maps, or broke its contract.
        """
        last = len(self._frames) - 1
        if last < 1:
            raise InputError(f"{last + 1} frames have come; maps are warped between two.")
        return warp_maps(self._session(), maps, last - 1, last)

    def close(self) -> None:
        """End the session and forget the frames; nothing happens if there are none.

        Raises:
            PropagationError: the propagator raised; the session counts as closed.
        """
        held, self._held = self._held, None
        self._frames = LiveFrames(keep=2)
        if held is not None:
            held.close()

    def _session(self) -> DenseWarper:
        if self._held is None:
            held = HeldSession(self._propagator, self._frames)
            try:
                require_warper(self._propagator, held.session)
            except PropagationError:
                held.close()
                raise
            self._held = held
        session: DenseWarper = self._held.session
        return session
