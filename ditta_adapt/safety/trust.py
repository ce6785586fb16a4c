"""At which sizes second looks are trusted, and in plain words at which they are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ditta_adapt.config import SecondLook
from ditta_adapt.models.second_look import Views
from ditta_adapt.safety.doubted_scales import doubted_scales
from ditta_adapt.safety.surely_worse import surely_worse

_AGAINST = "the model's other looks speak against what it says"


@dataclass(frozen=True, slots=True)
class Trust:
    """What was found of the sizes of second looks.

    Attributes:
        look: at those that are trusted; None if there are none.
        doubted: scales, see `doubted_scales`.
        left: the only one that is, if it is not trusted either.
    """

    look: SecondLook | None
    doubted: tuple[float, ...] = ()
    left: float | None = None

    def note(self, missing: Sequence[float] = ()) -> str:
        """In plain words, at which scales there is no look, and why; `""` if at all.

        Args:
            missing: scales that the model did not take.
        """
        if self.look is None:
            why = "no size below the usual one is left; larger ones alone are not trusted"
            if self.left is not None:
                why = f"it is less sure of itself at {self.left}, which is left, than as usual"
            at = f"{_AGAINST} at scale {_named(self.doubted)}"
            return f"there was no second look, so that nobody judges, since {at}, and {why}"
        reasons = {"which the model did not take": missing, f"where {_AGAINST}": self.doubted}
        without = [f"scale {_named(scales)}, {why}" for why, scales in reasons.items() if scales]
        return f"second looks go without {', and '.join(without)}" if without else ""


def trust(
    look: SecondLook,
    frames: Sequence[Views],
    num_classes: int,
    groups: Sequence[int] | None = None,
) -> Trust:
    """Which sizes are trusted, by what some frames look like at all of them.

    Those that are not doubted are, see `doubted_scales`; but none, if some are doubted and those
    that are left and say anything else than the usual size are

    * larger ones alone: they may err alike, since all of them see less around a place and all of
      the noise;
    * a single smaller one, of which no other can speak, and at which the model is surely less sure
      of itself than as usual, see `surely_worse`: a network is surer of what it knows.

    Args:
        look: all sizes.
        frames: at all of them.
        num_classes: `C`.
        groups: of frames, see `surely_worse`.
    """
    # A size at which numbers are not finite says what the usual one does, see `second_look`.
    others = [
        {scale: labels for scale, labels in seen.others.items() if (labels != seen.usual).any()}
        for seen in frames
    ]
    doubted = doubted_scales([seen.usual for seen in frames], others, num_classes, groups)
    if not doubted:
        return Trust(look)
    left = {scale for seen in others for scale in seen} - set(doubted)
    smallest = min(left, default=1.0)
    if smallest >= 1:
        return Trust(None, doubted)
    if left == {smallest}:
        surer = {
            t: seen.confidences[smallest] - seen.confidences[1.0]
            for t, seen in enumerate(frames)
            if smallest in others[t]
        }
        if surely_worse(list(surer.values()), groups and [groups[t] for t in surer]):
            return Trust(None, doubted, smallest)
    kept, streamed = (
        tuple(scale for scale in scales if scale not in doubted)
        for scales in (look.warmup_scales, look.scales)
    )
    if not any(scale < 1 for scale in streamed):
        streamed = (smallest, *streamed)
    return Trust(replace(look, warmup_scales=kept, scales=streamed), doubted)


def _named(scales: Sequence[float]) -> str:
    return ", ".join(map(str, scales))
