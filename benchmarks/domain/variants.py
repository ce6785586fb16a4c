"""Ways to learn a domain, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ditta_adapt.baselines import RefinedLabels
from ditta_adapt.config import (
    AdaptConfig,
    ClassMix,
    Discriminator,
    DomainConfig,
    FeatureDistance,
    LowRank,
    PatchMask,
)
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator

HELD_OUT = 0.34
"""Share of the videos that is not learned."""


@dataclass(frozen=True)
class Variant:
    """A way to learn a domain.

    Attributes:
        config: of it.
        source: labelled videos to learn from besides: clean ones, or, as no method could, those of
            the target itself.
        builder: of pseudo-labels.
        per_video: whether each video is adapted to afterwards, too.
    """

    config: DomainConfig = field(default_factory=DomainConfig)
    source: bool | Literal["target"] = False
    builder: TargetBuilder = build_targets
    per_video: bool = False


def _with(**options: object) -> DomainConfig:
    return DomainConfig(**options)  # type: ignore[arg-type]


VARIANTS: Mapping[str, Variant | None] = {
    "image model": None,
    "source-free": Variant(per_video=True),
    "source-free, norms": Variant(_with(encoder="norms")),
    "source-free, low rank": Variant(_with(encoder=LowRank())),
    "source-free, patches hidden": Variant(_with(mask=PatchMask())),
    "source": Variant(source=True, per_video=True),
    "source, mixed": Variant(_with(mix=ClassMix()), source=True),
    "source, mixed consistently": Variant(_with(mix=ClassMix(consistent=True)), source=True),
    "source, patches hidden": Variant(_with(mask=PatchMask()), source=True),
    "source, norms": Variant(_with(encoder="norms"), source=True),
    "source, low rank": Variant(_with(encoder=LowRank()), source=True),
    **{
        f"source, refined by {strategy}, {side}": Variant(
            source=True, builder=RefinedLabels(strategy, offset=offset)
        )
        for strategy, offset, side in (
            ("consistency", -1, "backward"),
            ("max_confidence", -1, "backward"),
            ("warp", -1, "backward"),
            ("warp", 1, "forward"),
        )
    },
    "source, mixed, patches hidden, norms": Variant(
        _with(mix=ClassMix(), mask=PatchMask(), encoder="norms"), source=True
    ),
    "source-free, two resolutions": Variant(_with(detail=True)),
    "source, two resolutions": Variant(_with(detail=True), source=True),
    "source, discriminator of frames": Variant(
        _with(discriminator=Discriminator(stacked=False)), source=True
    ),
    "source, discriminator of pairs": Variant(_with(discriminator=Discriminator()), source=True),
    "source, norms, feature distance": Variant(
        _with(encoder="norms", distance=FeatureDistance()), source=True
    ),
    "source, norms, rate warmed up": Variant(_with(encoder="norms", warmup_steps=64), source=True),
    "source, HRDA and MIC": Variant(
        _with(
            mix=ClassMix(),
            mask=PatchMask(),
            detail=True,
            encoder="norms",
            distance=FeatureDistance(),
            warmup_steps=64,
        ),
        source=True,
    ),
    "target labels (oracle)": Variant(source="target"),
    "target labels (oracle), norms": Variant(_with(encoder="norms"), source="target"),
}

OFFSETS: Mapping[str, Variant] = {
    f"source, refined by {strategy}, {offset:+d}": Variant(
        _with(clip=12), source=True, builder=RefinedLabels(strategy, offset=offset)
    )
    for offset in (-1, -3, -6, -10, 1, 3, 6, 10)
    for strategy in ("consistency", "max_confidence", "warp")
}
"""Refined by a frame so far away, in clips of twelve frames."""

EVERY: Mapping[str, Variant | None] = {**VARIANTS, "image model": None, **OFFSETS}


@dataclass(frozen=True)
class VotesAlone:
    """Labels that no second look had a part in.

    Attributes:
        builder: of labels.
    """

    builder: TargetBuilder

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        """See `TargetBuilder`."""
        return self.builder(propagator, warm_up.without_looks(), config, progress)
