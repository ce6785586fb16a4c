"""What sessions that are open on one video may share: all that depends on its frames alone."""

from collections.abc import Sequence

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_size, frame_to_tensor
from ditta_adapt.teachers.live_frames import LiveFrames, oldest_kept


class SharedVideo:
    """The frames of a video, checked as they are read; made and freed by `BasePropagator`.

    A subclass adds what its propagator computes from frames, such as image features or flow, and
    keeps it for no frame before `oldest`.

    Args:
        frames: the very sequence that was handed to `open`; it may grow.

    Attributes:
        size: `(H, W)` of all frames.
        sessions: how many sessions are open on the video.

    Raises:
        InputError: no frames.
        ShapeError: the first frame is not `(H, W, 3)` uint8.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        if not len(frames):
            raise InputError("no frames: a session needs at least one frame of the video.")
        self.frames = frames
        first = self.oldest
        self.size: tuple[int, int] = frame_size(
            frame_to_tensor(frames[first], name=f"frame {first}")
        )
        self.sessions = 0

    def __len__(self) -> int:
        """How many frames have come so far."""
        return len(self.frames)

    @property
    def oldest(self) -> int:
        """Index of the oldest frame that can be read."""
        return oldest_kept(self.frames)

    @property
    def live(self) -> bool:
        """Whether frames are still coming in."""
        return isinstance(self.frames, LiveFrames)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """A copy of frame `t`, on the frame's own device.

        Raises:
            ShapeError: it is not `(H, W, 3)` uint8, or of another size than the video.
        """
        frame = frame_to_tensor(self.frames[t], name=f"frame {t}")
        if frame_size(frame) != self.size:
            raise ShapeError(
                f"frame {t} is {frame_size(frame)} (H, W) but the video is {self.size}; all frames "
                "of a video must have one size."
            )
        return frame
