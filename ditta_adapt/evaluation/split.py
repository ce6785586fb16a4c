"""Which frames of a video are adapted to, and which are scored."""

from dataclasses import dataclass

from ditta_adapt.errors import InputError
from ditta_adapt.running.warmup import Warmup, check_warmup


@dataclass(frozen=True, slots=True)
class Split:
    """The two parts of a video.

    Attributes:
        warmup: the first this many frames are adapted to.
        scored: the frames whose labels are scored.
    """

    warmup: int
    scored: range


def split_video(num_frames: int, warmup: Warmup) -> Split:
    """Split a video of `T` frames as the published protocols do.

    * Warm-up then freeze, a share in (0, 1): adapt to the first `n = max(floor(T * share), 1)`
      frames, score the rest. Shares score different frames, so they cannot be compared with each
      other.
    * The same with `n` given as an integer, at least 1.
    * Full video, the share 1.0: adapt to all frames, then score all of them.
    * 0: adapt to nothing, score all frames.

    A share is taken as a whole percentage, since the published program calculates in integers.

    Raises:
        InputError: `num_frames` is under 1, or of so many frames no other is left to be scored; or
            a share is not a whole percentage in [0, 1].
    """
    if num_frames < 1:
        raise InputError(f"the video has {num_frames} frames; expected at least 1.")
    check_warmup(warmup)
    if isinstance(warmup, int):
        if warmup >= num_frames:
            raise InputError(
                f"the video has {num_frames} frames, and the warm-up takes {warmup}; expected more "
                "frames, as the rest is scored. 100% adapts to all and scores all."
            )
        return Split(warmup, range(warmup, num_frames))
    percent = round(100 * warmup)
    if percent in (0, 100):
        return Split(num_frames * percent // 100, range(num_frames))
    count = max(num_frames * percent // 100, 1)
    return Split(count, range(count, num_frames))
