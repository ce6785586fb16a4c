"""Options of adapting a model to many videos of one domain."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ditta_adapt.config.adapt_config import AdaptConfig
from ditta_adapt.config.record import Count, NotNegative, Positive, Range, Record, Seed, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMix(Record):
    """Half of the classes of a labelled source frame, pasted onto a target frame (DACS).

    Attributes:
        consistent: a clip gets the same classes of one source video, cut out by one window, so that
            what is pasted moves as it does there. Else every frame gets its own: each is learned by
            itself, so that more is seen.
    """

    consistent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchMask(Record):
    """Parts of a frame that are hidden from the student, who learns their labels all the same.

    Attributes:
        ratio: chance of a patch to be hidden.
        patch: its side, as a share of the frame's shorter one: 1/16 is 64 pixels of 1024.
        weight: of the term in the loss.

    Source: masked image consistency (Hoyer et al., MIC, CVPR 2023), with its numbers.
    """

    ratio: Share = 0.7
    patch: Annotated[float, Range(0, 1, above=True)] = 1 / 16
    weight: Positive = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConfig(Record):
    """How a model is adapted to the videos of a domain, see `adapt_to_domain`.

    Attributes:
        rounds: how often as many clips are learned as there are videos.
        clip: neighbouring frames that are labelled together.
        held_out: share of the videos that is not learned, and decides what is kept; one at least.
        judged_frames: of every video that is held out.
        learning_rate: of AdamW.
        ema_rate: teacher = rate x teacher + (1 - rate) x student, after every clip.
        rarity: exponent of the weight of a class in drawing videos, in [0, 1]: 0 draws all alike.
        source_weight: of the term of labelled source frames in the loss, where there are any.
        mix: how labelled source frames are mixed into the target's, where there are any. None: the
            target is learned as it is, which gained on every set of videos that was measured.
        mask: the student learns every frame a second time, with parts hidden. None: it does not.
        encoder: `"frozen"` learns the decoder alone, `"norms"` scale and shift of the encoder's
            normalisation layers, too, at several times the cost.
        adapt: its `targets` and `training` say where labels come from and how they are learned
            (of `training` all but passes, rate and mode of the modules), and the warm-up scales of
            its `look`, what judges.
        seed: of everything random; the caller's random state is not touched.

    Raises:
        ConfigError: a value has the wrong type or is out of its range.
    """

    rounds: Count = 12
    clip: Annotated[int, Range(2)] = 4
    held_out: Annotated[float, Range(0, 1, below=True)] = 0.2
    judged_frames: Count = 8
    learning_rate: Positive = 3e-4
    ema_rate: Share = 0.9
    rarity: Share = 0.5
    source_weight: NotNegative = 1.0
    mix: ClassMix | None = None
    mask: PatchMask | None = None
    encoder: Literal["frozen", "norms"] = "frozen"
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    seed: Seed = 0
