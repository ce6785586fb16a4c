"""Which frames of a video are adapted to, and which are scored."""

from dataclasses import dataclass

from ditta_adapt.errors import InputError


@dataclass(frozen=True, slots=True)
class Split:
    """The two parts of a video.

    Attributes:
        warmup: the first this many frames are adapted to.
        scored: the frames whose labels are scored.
    """

    warmup: int
    scored: range


def split_video(num_frames: int, share: float) -> Split:
    """Split a video of `T` frames as the published protocols do.

    * Warm-up then freeze, `share` in (0, 1): adapt to the first `n = max(floor(T * share), 1)`
      frames, score the rest. Shares score different frames, so they cannot be compared with each
      other.
    * Full video, `share = 1`: adapt to all frames, then score all of them.
    * `share = 0`: adapt to nothing, score all frames.

    `share` is taken as a whole percentage, since the published program calculates in integers.

    Raises:
        InputError: `num_frames` is under 1, or `share` is not a whole percentage in [0, 1].
    """
    if num_frames < 1:
        raise InputError(f"the video has {num_frames} frames; expected at least 1.")
    check_share(share)
    percent = round(100 * share)
    if percent in (0, 100):
        return Split(num_frames * percent // 100, range(num_frames))
    warmup = max(num_frames * percent // 100, 1)
    return Split(warmup, range(warmup, num_frames))


def check_share(share: float) -> None:
    """Refuse what `split_video` cannot use.

    Raises:
        InputError: not a whole percentage in [0, 1].
    """
    if not 0 <= share <= 1 or abs(100 * share - round(100 * share)) > 1e-6:
        raise InputError(
            f"the warm-up is the share {share} of a video; expected a whole percentage between 0 "
            "and 1, such as 0.1."
        )
