"""At which sizes second looks are trusted, and in plain words at which they are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Integer
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.safety.doubted_scales import doubted_scales

_AGAINST = "the model's other looks speak against what it says"


@dataclass(frozen=True, slots=True)
class Trust:
    """What was found of the sizes of second looks.

    Attributes:
        look: at those that are trusted; None if some are doubted, and of those that are left and
            say anything else than the usual one none is smaller than that.
        doubted: scales, see `doubted_scales`.
    """

    look: SecondLook | None
    doubted: tuple[float, ...] = ()

    def note(self, missing: Sequence[float] = ()) -> str:
        """In plain words, at which scales there is no look, and why; `""` if at all.

        Args:
            missing: scales that the model did not take.
        """
        if self.look is None:
            return (
                f"there was no second look, since {_AGAINST} at scale {_named(self.doubted)}, and "
                "no size below the usual one is left; larger ones alone are not trusted"
            )
        reasons = {"which the model did not take": missing, f"where {_AGAINST}": self.doubted}
        without = [f"scale {_named(scales)}, {why}" for why, scales in reasons.items() if scales]
        return f"second looks go without {', and '.join(without)}" if without else ""


def trust(
    look: SecondLook,
    plain: Sequence[Integer[Tensor, "_ _"]],
    views: Sequence[Mapping[float, Integer[Tensor, "_ _"]]],
    num_classes: int,
    groups: Sequence[int] | None = None,
) -> Trust:
    """Which sizes are trusted, by what some frames look like at all of them.

    Args:
        look: all sizes.
        plain: labels of the frames as usual.
        views: likewise by scale, see `Look`; one may be missing on some.
        num_classes: `C`.
        groups: see `doubted_scales`.
    """
    # A size at which numbers are not finite says what the usual one does, see `second_look`.
    other = [
        {scale: labels for scale, labels in seen.items() if (labels != usual).any()}
        for usual, seen in zip(plain, views, strict=True)
    ]
    doubted = doubted_scales(plain, other, num_classes, groups)
    if not doubted:
        return Trust(look)
    left = {scale for seen in other for scale in seen} - set(doubted)
    smallest = min(left, default=1.0)
    if smallest >= 1:
        return Trust(None, doubted)
    kept, streamed = (
        tuple(scale for scale in scales if scale not in doubted)
        for scales in (look.warmup_scales, look.scales)
    )
    if not any(scale < 1 for scale in streamed):
        streamed = (smallest, *streamed)
    return Trust(replace(look, warmup_scales=kept, scales=streamed), doubted)


def _named(scales: Sequence[float]) -> str:
    return ", ".join(map(str, scales))
