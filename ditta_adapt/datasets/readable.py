"""The frames of a video that can be read; of the others, how many they are."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame

OnError = Literal["skip", "stop"]
"""What to do about a frame that cannot be read: leave it out, or raise."""


class ReadableFrames:
    """The frames of a video with their indices; every iteration reads them from the start.

    Iterating gives `(t, frames[t])` for every `t`, in order. A frame cannot be read if its access
    raises an `InputError` or `OSError`; and of a sequence with a text `damage`, such as
    `VideoFrames`, something could not be read already. With `"skip"` such frames are left out.

    Iterating raises:
        InputError: with `"stop"`, if a frame cannot be read or the file is damaged; else if none
            of the frames can be read.
        OSError: with `"stop"`, if that is what a frame raises.

    Attributes:
        unread: what could not be read so far, such as `"1 of 12 frames could not be read"`; empty
            if there is nothing.
    """

    def __init__(self, frames: Sequence[Frame], on_error: OnError) -> None:
        """Nothing is read yet.

        Raises:
            InputError: `on_error` is another word.
        """
        check_on_error(on_error)
        self._frames, self._on_error = frames, on_error
        self._missing: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        length = len(self._frames)
        # Of a video file, known once its length was asked for.
        if self._damage and self._on_error == "stop":
            raise InputError(f"the video is damaged: {self._damage}.")
        for t in range(length):
            try:
                frame = self._frames[t]
            except (InputError, OSError) as error:
                if self._on_error == "stop":
                    raise
                self._missing.add(t)
                if len(self._missing) == length:
                    raise InputError(
                        f"none of the {length} frames could be read; the last one: {error}"
                    ) from error
                continue
            yield t, frame

    @property
    def unread(self) -> str:
        """See the class."""
        missing = len(self._missing)
        count = f"{missing} of {len(self._frames)} frames could not be read" if missing else ""
        return "; ".join(filter(None, (self._damage, count)))

    @property
    def _damage(self) -> str:
        return getattr(self._frames, "damage", "")


def check_on_error(on_error: str) -> None:
    """Refuse another word.

    Raises:
        InputError: it is no `OnError`.
    """
    if on_error not in get_args(OnError):
        raise InputError(f"on_error is {on_error!r}; expected 'skip' or 'stop'.")
