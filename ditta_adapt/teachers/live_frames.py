"""A video that is still coming in: the frames so far, of which only the last few are kept."""

from collections.abc import Sequence, Sized
from typing import SupportsIndex, overload

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame


class LiveFrames(Sequence[Frame]):
    """A sequence that grows while a propagator's session is open on it, in constant memory.

    Indices count from the first frame ever appended. A frame that is no longer kept raises
    `InputError`, never `IndexError`, since that would silently end a loop over the frames.

    Args:
        keep: how many of the last frames stay readable; a step of a propagator needs two.

    Raises:
        InputError: `keep` is less than 1.

    Example:
        >>> frames = LiveFrames(keep=2)
        >>> for value in range(5):
        ...     frames.append(np.full((1, 1, 3), value, dtype=np.uint8))
        >>> len(frames), frames.oldest, int(frames[4][0, 0, 0])
        (5, 3, 4)
    """

    def __init__(self, *, keep: int = 2) -> None:
        if keep < 1:
            raise InputError(f"keep is {keep}; expected at least 1 frame.")
        self._keep = keep
        self._kept: list[Frame] = []
        self._count = 0

    @property
    def oldest(self) -> int:
        """Index of the oldest frame that can still be read."""
        return self._count - len(self._kept)

    def append(self, frame: Frame) -> None:
        """Add the next frame, and forget the oldest one if there are more than `keep`."""
        self._kept = [*self._kept, frame][-self._keep :]
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: SupportsIndex) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Frame | Sequence[Frame]:
        """One frame by its index; or a list of frames by a slice.

        Raises:
            InputError: a frame that is no longer kept.
            IndexError: a frame that has not come yet, or before the first.
        """
        if isinstance(index, slice):
            return [self[t] for t in range(*index.indices(self._count))]
        t = index.__index__()
        t += self._count if t < 0 else 0
        if not 0 <= t < self._count:
            raise IndexError(f"there is no frame {index} yet: {self._count} have come so far.")
        if t < self.oldest:
            raise InputError(
                f"frame {t} is no longer kept: of the {self._count} frames so far, only "
                f"{self.oldest} to {self._count - 1} are. Read frames as they come, or build "
                "LiveFrames with a larger keep."
            )
        return self._kept[t - self.oldest]


def oldest_kept(frames: Sized) -> int:
    """Index of the oldest frame that can be read: a cache by frame need not go back beyond it."""
    # Not typed as a sequence of frames: checkers at run time would read a random one of them.
    return frames.oldest if isinstance(frames, LiveFrames) else 0
