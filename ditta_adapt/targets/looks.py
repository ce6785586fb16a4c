"""Second looks at the frames of the warm-up: they teach in place of the plain predictions."""

from collections.abc import Callable, Sequence

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.models.second_look import second_look
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.packed_votes import PackedVotes

_LEAST = 1e-4


class WarmUpLooks:
    """The look at every warm-up frame, taken once and kept.

    Args:
        segmenter: the image model with its pre-trained weights.
        frames: the warm-up.
        usual: its logits on a frame at its usual size.
        options: at which sizes to look.

    Attributes:
        passes: what they cost so far, in passes of the image model.
        missing: scales that the model did not take.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        frames: Sequence[UInt8[Tensor, "3 H W"]],
        usual: Callable[[int], Float[Tensor, "1 C h w"]],
        options: SecondLook,
    ) -> None:
        self.passes = 0.0
        self.missing: tuple[float, ...] = ()
        self._segmenter, self._frames, self._usual = segmenter, frames, usual
        self._options = options
        self._kept: dict[int, PackedVotes] = {}

    def __getitem__(self, t: int) -> Float[Tensor, "1 C h w"]:
        """Logits of the look at frame `t`, on the grid of the usual ones."""
        if t not in self._kept:
            self._kept[t] = PackedVotes(self._look(t)[0].exp())
        probabilities = self._kept[t].unpack().unsqueeze(0).to(self._usual(t).device)
        # What was rounded to 0 is not impossible.
        return probabilities.clamp(min=_LEAST).log()

    @property
    def sizes(self) -> int:
        """At how many sizes a frame was seen, the usual one among them."""
        return 1 + len(set(self._options.scales) - set(self.missing))

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
            self._options.scales,
            mirror=self._options.mirror,
        )
        self.passes += look.passes
        self.missing = look.missing
        return usual if look.logits is None else look.logits
