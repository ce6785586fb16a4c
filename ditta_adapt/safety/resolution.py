"""The one place where `"auto"` is decided: by what the propagator can, and whether it is right."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ditta_adapt.config import (
    AdaptConfig,
    AttentionAddon,
    Checks,
    DenseVote,
    MaskVote,
    WarpedVotes,
)
from ditta_adapt.models.parameters import device_of
from ditta_adapt.safety.propagator_check import check_warp
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_session, open_warper
from ditta_adapt.teachers.propagator import DenseWarper, Propagator


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a configuration means with one propagator on one video.

    Attributes:
        config: with nothing left to `"auto"`.
        note: in plain words, what was found wrong with the propagator, or `""`.
        session: still open, if it can warp and is used for it. It keeps what later sessions on the
            warm-up share with it.
    """

    config: AdaptConfig
    note: str = ""
    session: DenseWarper | None = None


@contextmanager
def resolve(config: AdaptConfig, propagator: Propagator, warm_up: WarmUp) -> Iterator[Resolution]:
    """Decide what the configuration leaves to the propagator.

    With one whose warping does not fit the video, see `check_warp`, nothing is warped, and nothing
    tracked that was not asked for by name: what is doubted does less. Without `config.safety` it is
    trusted. A propagator that is not needed is not opened.

    Args:
        config: as given.
        propagator: what follows objects, or warps maps, through the video.
        warm_up: what it is judged by.

    Raises:
        PropagationError: the propagator raised, broke its contract, or cannot warp although the
            configuration asks for it by name.
    """
    must_warp = isinstance(config.targets, DenseVote) or isinstance(config.memory, WarpedVotes)
    if not must_warp and "auto" not in (config.targets, config.memory):
        yield Resolution(config)
        return
    open_it = open_warper if must_warp else open_session
    with ExitStack() as stack:
        session = stack.enter_context(open_it(propagator, warm_up.video))
        if not isinstance(session, DenseWarper):
            stack.close()
            yield Resolution(_without_warping(config))
            return
        if isinstance(config.safety, Checks):
            check = check_warp(
                session,
                warm_up.frames,
                tolerance=config.safety.tolerance,
                device=device_of(warm_up.segmenter),
            )
            if not check.good(config.safety.warp_margin):
                yield Resolution(
                    _switched_off(config),
                    "the propagator's warping is not used, since colours fit worse with it "
                    f"({check.warped:.2f}) than if nothing moved ({check.at_rest:.2f})",
                )
                return
        with_warping = replace(
            config,
            targets=DenseVote() if config.targets == "auto" else config.targets,
            memory=WarpedVotes() if config.memory == "auto" else config.memory,
        )
        yield Resolution(with_warping, session=session)


def _switched_off(config: AdaptConfig) -> AdaptConfig:
    """Without what is to be warped."""
    if config.memory == "auto" or isinstance(config.memory, WarpedVotes):
        config = replace(config, memory=None)
    if config.targets == "auto" or isinstance(config.targets, DenseVote):
        config = replace(config, targets=None)
    return config


def _without_warping(config: AdaptConfig) -> AdaptConfig:
    return replace(
        config,
        targets=MaskVote() if config.targets == "auto" else config.targets,
        memory=AttentionAddon() if config.memory == "auto" else config.memory,
    )
