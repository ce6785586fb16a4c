"""Second looks at the warm-up, at the sizes at which the model can be trusted."""

from dataclasses import replace

from ditta_adapt.config import AdaptConfig, Checks
from ditta_adapt.models.second_look import Views
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.safety.trust import Trust, trust
from ditta_adapt.targets.looks import WarmUpLooks
from ditta_adapt.targets.warm_up import WarmUp


def look_twice(
    warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> tuple[WarmUp, AdaptConfig, str]:
    """Look at every frame of the warm-up a second time, but for scales that are doubted.

    If none is trusted, see `trust`, there is no look, and nothing is learned that was not asked for
    by name: what is doubted does less.

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
    looks, trusted = looking.looks, Trust(config.look)
    if isinstance(config.safety, Checks):
        trusted = trust(config.look, _seen(looks), warm_up.segmenter.num_classes)
    if trusted.look is None:
        targets = None if config.targets == "auto" else config.targets
        config = replace(config, look=None, targets=targets)
        return looking.without_looks(), config, trusted.note()
    if trusted.doubted:
        config, looking = replace(config, look=trusted.look), looking.looking(trusted.look)
    looked = looking.looked_at(progress)
    if looked.looks is None:
        return looked, config, _NO_SIZE
    missing = dict.fromkeys((*looks.missing, *looked.looks.missing))
    return looked, config, trusted.note(tuple(missing))


_NO_SIZE = "there was no second look, since the model can be shown frames at no other size"


def _seen(looks: WarmUpLooks) -> list[Views]:
    """Some frames at all sizes; none where no look is possible."""
    found = []
    for t in looks.compared:
        found.append(looks.views(t))
        if not looks.possible:
            return []
    return found
