"""Second looks at the warm-up, at the sizes at which the model can be trusted."""

from collections.abc import Sequence
from dataclasses import replace

from ditta_adapt.config import AdaptConfig, Checks, SecondLook
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.safety.doubted_scales import doubted_scales
from ditta_adapt.targets.looks import WarmUpLooks
from ditta_adapt.targets.warm_up import WarmUp


def look_twice(
    warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> tuple[WarmUp, AdaptConfig, str]:
    """Look at every frame of the warm-up a second time, but for scales that are doubted.

    If only larger ones than the usual size are left there is no look, and nothing is learned that
    was not asked for by name: a larger image shows nothing that the usual one does not, and larger
    ones that agree may err alike; what is doubted does less.

    Args:
        warm_up: without looks.
        config: with looks; unless its `safety` checks, no scale is doubted.
        progress: called after every frame.

    Returns:
        The warm-up with its looks, if there are any; the configuration with the scales that are
        left, also of the stream; and in plain words what is not looked at.

    Raises:
        SegmenterError: the model's output breaks its contract.
    """
    assert config.look is not None
    looking = warm_up.looking(config.look)
    assert looking.looks is not None
    looks, doubted = looking.looks, tuple[float, ...]()
    if isinstance(config.safety, Checks):
        doubted = _doubted(looking, looks)
    if doubted:
        fewer = without_scales(config.look, doubted, looks.missing)
        if fewer is None:
            targets = None if config.targets == "auto" else config.targets
            config = replace(config, look=None, targets=targets)
            return looking.without_looks(), config, no_look(doubted)
        config, looking = replace(config, look=fewer), looking.looking(fewer)
    looked = looking.looked_at(progress)
    if looked.looks is None:
        return looked, config, _NO_SIZE
    missing = dict.fromkeys((*looks.missing, *looked.looks.missing))
    return looked, config, left_out(tuple(missing), doubted)


_NO_SIZE = "there was no second look, since the model can be shown frames at no other size"
_AGAINST = "the model's other looks speak against what it says"


def without_scales(
    look: SecondLook, doubted: Sequence[float], missing: Sequence[float]
) -> SecondLook | None:
    """Looks at the sizes that are not doubted; if none is meant for the stream, at the smallest.

    Args:
        look: all sizes.
        doubted: of which at least one is left out.
        missing: scales that the model did not take.

    Returns:
        None if there is none left below the usual size, see `look_twice`.
    """
    kept, streamed = (
        tuple(scale for scale in scales if scale not in doubted)
        for scales in (look.warmup_scales, look.scales)
    )
    smallest = min((scale for scale in kept if scale not in missing), default=1.0)
    if smallest >= 1:
        return None
    return replace(look, warmup_scales=kept, scales=streamed or (smallest,))


def left_out(missing: Sequence[float], doubted: Sequence[float]) -> str:
    """In plain words, at which scales there is no look, and why; `""` if at all."""
    reasons = {"which the model did not take": missing, f"where {_AGAINST}": doubted}
    without = [f"scale {_named(scales)}, {why}" for why, scales in reasons.items() if scales]
    return f"second looks go without {', and '.join(without)}" if without else ""


def no_look(doubted: Sequence[float]) -> str:
    """In plain words, why there is none where larger sizes are left alone."""
    return (
        f"there was no second look, since {_AGAINST} at scale {_named(doubted)}, and larger ones "
        "alone are not trusted"
    )


def _doubted(looking: WarmUp, looks: WarmUpLooks) -> tuple[float, ...]:
    usual, views = [], []
    for t in looks.compared:
        plain = labels_of(looking.grid_logits(t))
        seen = looks.views(t)
        if not looks.possible:
            return ()
        usual.append(plain)
        # A size at which numbers are not finite says what the usual one does, see `second_look`.
        views.append({scale: each for scale, each in seen.items() if (each != plain).any()})
    return doubted_scales(usual, views, looking.segmenter.num_classes)


def _named(scales: Sequence[float]) -> str:
    return ", ".join(map(str, scales))
