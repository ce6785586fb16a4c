"""How long a memory may be: as long as it is not refuted by what the model says next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ditta_adapt.config import AdaptConfig, Checks, WarpedVotes
from ditta_adapt.errors import ConfigError
from ditta_adapt.safety.surely_worse import rather_worse, surely_worse

TESTED = 8
"""Streamed frames that are predicted, to begin with and after every change: what comes later says
much the same, and costs."""

# Of the warm-up and of the stream: what was long ago is of another part of the video.
_KEPT = 2 * TESTED
# To an eighth; what is left then is hardly a memory.
_HALVINGS = 3
_WORSE = "predicted the model's next labels worse than its last ones did"


@dataclass(frozen=True, slots=True)
class MemoryLength:
    r"""How much past votes weigh one frame further on, and how well the past predicted so far.

    A memory is worth having where it knows better than the last frame alone what comes next. So
    both are carried along to the next frame, and compared with what the model says there:

    .. math:: d_t = a(warp(m_{t-1}), y_t) - a(warp(y_{t-1}), y_t)

    for the memory's labels `m`, the model's own labels `y`, and `agreement` `a`. Where the model
    flickers, the memory predicts better; where it is steady, and votes smear over edges or lag
    behind, it predicts worse. If that is sure, see `surely_worse`, the memory is made half as long,
    `g` to `g^2`, and tested anew, down to an eighth. Where no second look judges, less is enough
    for a memory to have no say, see `doubted`: silence costs less than a mistake. A few frames are
    not to silence it for good, so it goes on being tested as long as it is doubted.

    Attributes:
        decay: `g`.
        left: streamed frames still to be predicted in any case.
        differences: `d` of the last 16 frames that were predicted at this length.
        halvings: how often it was made shorter.

    Source: smoothing chosen by the error of its one-step forecast, as in exponential smoothing
    (Gardner, International Journal of Forecasting, 2006).
    """

    decay: float
    left: int = TESTED
    differences: tuple[float, ...] = ()
    halvings: int = 0

    def after(self, *differences: float) -> "MemoryLength":
        """What is known after more frames were predicted.

        Args:
            differences: `d`, in [-1, 1], of each.
        """
        found = (*self.differences, *differences)[-_KEPT:]
        shorter = self.decay**2
        if self.halvings < _HALVINGS and shorter < self.decay and surely_worse(found):
            return MemoryLength(shorter, halvings=self.halvings + 1)
        return replace(self, left=max(self.left - len(differences), 0), differences=found)

    @property
    def doubted(self) -> bool:
        """Whether it predicts rather worse than the last frame alone, see `rather_worse`.

        One that was made shorter is doubted until three frames were predicted.
        """
        if len(self.differences) < 3:
            return self.halvings > 0
        return rather_worse(self.differences)

    def goes_on(self, *, judged: bool) -> bool:
        """Whether the next frame is to be predicted, too.

        Args:
            judged: whether second looks decide, so that doubts silence nobody.
        """
        return self.left > 0 or (self.doubted and not judged)

    @property
    def note(self) -> str:
        """In plain words, that the memory was made shorter, or is doubted, or `""`."""
        notes = []
        if self.halvings:
            part = ("half", "a quarter", "an eighth")[self.halvings - 1]
            notes.append(
                f"the memory is {part} as long as asked for (a vote weighs {self.decay:.2f} one "
                f"frame on), since a longer one {_WORSE}"
            )
        if self.doubted:
            notes.append(f"the memory has no say but by second looks, since it {_WORSE}")
        return "; ".join(notes)

    def to_values(self) -> list[Any]:
        """As values that JSON can hold."""
        return [self.decay, self.left, list(self.differences), self.halvings]

    @classmethod
    def from_values(cls, values: Sequence[Any]) -> "MemoryLength":
        """Inverse of `to_values`.

        Raises:
            ConfigError: they are out of their range.
            TypeError, ValueError: they are none of these.
        """
        decay, left, differences, halvings = values
        fits = 0 <= decay <= 1 and left in range(TESTED + 1) and halvings in range(_HALVINGS + 1)
        if not (fits and all(-1 <= each <= 1 for each in differences)):
            raise ConfigError(
                f"the length of the memory is {values!r}; expected a decay in [0, 1], at most "
                f"{TESTED} frames and {_HALVINGS} halvings, and differences in [-1, 1]."
            )
        return cls(float(decay), int(left), tuple(map(float, differences)), int(halvings))


def length_of(config: AdaptConfig, memory: object) -> MemoryLength | None:
    """The length that a memory begins with; none where no votes are remembered.

    Args:
        config: unless its `safety` checks, nothing is tested.
        memory: of the stream.
    """
    if not isinstance(memory, WarpedVotes):
        return None
    return MemoryLength(memory.decay, left=TESTED if isinstance(config.safety, Checks) else 0)
