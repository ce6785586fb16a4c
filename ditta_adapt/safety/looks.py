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

    Args:
        warm_up: without looks.
        config: with looks; unless its `safety` checks, no scale is doubted.
        progress: called after every frame.

    Returns:
        The warm-up with its looks, if the model can be shown frames otherwise; the configuration
        with the scales that are left, to be looked at while streaming, too; and in plain words
        what is not looked at.

    Raises:
        SegmenterError: the model's output breaks its contract.
    """
    assert config.look is not None
    looking = warm_up.looking(config.look)
    assert looking.looks is not None
    doubted: tuple[float, ...] = ()
    if isinstance(config.safety, Checks):
        doubted = _doubted(looking, looking.looks)
    missing = looking.looks.missing
    if doubted:
        fewer = _without(config.look, doubted, missing)
        config = replace(config, look=fewer)
        if fewer is None:
            return warm_up, config, _note(None, missing, doubted)
        looking = looking.looking(fewer)
    looked = looking.looked_at(progress)
    return looked, config, _note(looked.looks, missing, doubted)


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


def _without(
    look: SecondLook, doubted: Sequence[float], missing: Sequence[float]
) -> SecondLook | None:
    """Looks at the other sizes; at the mirrored frame if none is left, unless that is not wanted.

    If all that is left are sizes that the model did not take, none is.
    """
    kept, streamed = (
        tuple(scale for scale in scales if scale not in doubted)
        for scales in (look.warmup_scales, look.scales)
    )
    if set(kept) <= set(missing):
        kept = streamed = ()
    if not look.warmup_mirror:
        if not kept:
            return None
        streamed = streamed or (min(kept),)
    return replace(look, warmup_scales=kept, scales=streamed)


def _note(looks: WarmUpLooks | None, missing: Sequence[float], doubted: Sequence[float]) -> str:
    if looks is None and not doubted:
        return "there was no second look, since the model can be shown frames at no other size"
    late = () if looks is None else looks.missing
    reasons = {
        "which the model did not take": dict.fromkeys((*missing, *late)),
        "where the model's other looks speak against what it says": doubted,
    }
    left_out = [f"scale {', '.join(map(str, s))}, {why}" for why, s in reasons.items() if s]
    instead = ""
    if doubted and (looks is None or looks.sizes == 1):
        instead = "; there is none" if looks is None else "; the mirrored frame is seen instead"
    return f"second looks go without {', and '.join(left_out)}{instead}" if left_out else ""
