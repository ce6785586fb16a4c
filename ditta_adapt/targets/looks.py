"""Second looks at the frames of the warm-up: they teach in place of the plain predictions."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.models.encodings import CacheSpace, FrameCache
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.second_look import Views, second_look
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.soft_votes import soft_votes

# Frames of which sizes are compared with one another.
_COMPARED = 8


class WarmUpLooks:
    """The look at every warm-up frame, taken once and kept.

    Args:
        segmenter: the image model with its pre-trained weights.
        frames: the warm-up.
        usual: its logits on a frame at its usual size.
        options: at which sizes to look.
        space: where looks may be kept, in 16 bits; what does not fit is looked at again.

    Attributes:
        passes: what they cost so far, in passes of the image model.
        missing: scales that the model did not take, on one frame at least.
        compared: some frames, spread over all, of which every size's own labels are kept.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        frames: Sequence[UInt8[Tensor, "3 H W"]],
        usual: Callable[[int], Float[Tensor, "1 C h w"]],
        options: SecondLook,
        space: CacheSpace,
    ) -> None:
        self.passes = 0.0
        self.missing: tuple[float, ...] = ()
        self._segmenter, self._frames, self._usual = segmenter, frames, usual
        self._options = options
        self._cache = FrameCache(self._look, len(frames), device_of(segmenter), space)
        self._labels: dict[int, Tensor] = {}
        self._views: dict[int, Views] = {}
        last, count = len(frames) - 1, min(len(frames), _COMPARED)
        self.compared = sorted({round(k * last / max(count - 1, 1)) for k in range(count)})

    def __getitem__(self, t: int) -> Float[Tensor, "1 C h w"]:
        """Logits of the look at frame `t`, on the grid of the usual ones."""
        return self._cache[t].float()

    def __contains__(self, t: int) -> bool:
        """Whether the look at frame `t` is kept, and need not be taken again."""
        return t in self._cache

    def votes(self, t: int) -> Float[Tensor, "C h w"]:
        """What the look at frame `t` adds to votes, see `Look.votes`."""
        return self.sizes * soft_votes(self[t])

    def labels(self, t: int) -> Integer[Tensor, "h w"]:
        """Labels of frame `t`, which was looked at, by the other sizes alone; see `Look`."""
        return self._labels[t]

    def views(self, t: int) -> Views:
        """Of frame `t`, one of those `compared`."""
        if t not in self._views:
            self[t]
        return self._views[t]

    def clear(self) -> None:
        """Keep nothing, so that other looks find space."""
        self._cache.clear()
        self._labels.clear()
        self._views.clear()

    @property
    def sizes(self) -> int:
        """At how many sizes a frame was seen, the usual one among them."""
        return 1 + len(set(self._options.warmup_scales) - set(self.missing))

    @property
    def possible(self) -> bool:
        """Whether the model took any scale."""
        return self.sizes > 1

    def _look(self, t: int) -> Tensor:
        usual = self._usual(t)
        look = second_look(
            self._segmenter,
            self._frames[t],
            usual,
            self._options.warmup_scales,
            mirror=self._options.warmup_mirror,
            views=t in self.compared,
        )
        self.passes += look.passes
        self.missing = tuple(dict.fromkeys((*self.missing, *look.missing)))
        dtype = torch.uint8 if usual.shape[1] <= 256 else torch.int16
        if look.labels is not None:
            self._labels[t] = look.labels.to(dtype)
        if look.views is not None:
            self._views[t] = look.views.to(dtype)
        return (usual if look.logits is None else look.logits).half()
