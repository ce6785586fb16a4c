"""Motion blur: each frame is mixed with those before it."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import UInt8


def motion_blur(
    frames: Iterable[UInt8[np.ndarray, "H W 3"]], window: int
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Weighted mean of the last `window` frames, `sum_j j · x_j / sum_j j`, j = 1 the oldest.

    At the start of the video the window holds the frames there are; the first frame is unchanged.

    Args:
        frames: uint8, of one size.
        window: number of frames in the mean, at least 1; as many are kept in memory.

    Yields:
        uint8 of the same shape, one for each frame.
    """
    last: deque[np.ndarray] = deque(maxlen=window)
    for frame in frames:
        last.append(frame)
        total = sum(weight * past.astype(np.int64) for weight, past in enumerate(last, start=1))
        # An exact half goes to the even neighbour.
        yield np.rint(total / (len(last) * (len(last) + 1) // 2)).astype(np.uint8)
