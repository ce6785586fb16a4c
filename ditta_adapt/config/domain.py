"""Options of adapting a model to many videos of one domain."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from ditta_adapt.config.adapt_config import AdaptConfig
from ditta_adapt.config.record import (
    Count,
    NotNegative,
    Positive,
    Range,
    Record,
    Seed,
    Share,
    Size,
)
from ditta_adapt.errors import ConfigError


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
class FeatureDistance(Record):
    """The encoder's deepest features stay near those of a reference network.

    Attributes:
        weight: of the term in the loss.
        things: classes whose pixels count, such as cars and persons, which few pixels speak for.
            None of them: all pixels count.

    Source: Hoyer et al., DAFormer, CVPR 2022, with its weight.
    """

    weight: Positive = 0.005
    things: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discriminator(Record):
    """A network tells source from target by what is predicted; the student learns to confuse it.

    Attributes:
        stacked: it is shown a frame's prediction and that of the frame before, one above the other,
            and source frames are neighbours, also those of a mix; else a frame's alone.
        weight: of the student's term in the loss.

    Source: DA-VSN (Guan et al., ICCV 2021), with its weight.
    """

    stacked: bool = True
    weight: Positive = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank(Record):
    """Updates of low rank of the encoder's weights, see `WithLowRank`.

    Attributes:
        rank: of each; a layer that is smaller than its update learns none.

    Source: Hu et al., LoRA, ICLR 2022.
    """

    rank: Count = 8


EncoderLearning: TypeAlias = Literal["frozen", "norms"] | LowRank


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
        detail: the model sees enlarged parts of every frame, too, and learns how much to listen to
            them, see `WithDetail`; the result does so as well, at five times the cost.
        discriminator: an adversary that looks at predictions of both domains, where there is a
            source. None: there is none.
        distance: of the encoder's features to those of a reference network, on source frames where
            there are any. None: it does not count. Needs an encoder that learns.
        warmup_steps: in which the learning rate rises to its value in a straight line.
        encoder: `"frozen"` learns the decoder alone, `"norms"` scale and shift of the encoder's
            normalisation layers, too, at several times the cost, and `LowRank` updates of the
            weights of its layers, added to these once they are learned, so that the result is as
            large and as fast as before.
        adapt: its `targets` and `training` say where labels come from and how they are learned
            (of `training` all but passes, rate and mode of the modules), and the warm-up scales of
            its `look`, at which sizes the teacher looks, too, and what judges.
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
    detail: bool = False
    discriminator: Discriminator | None = None
    distance: FeatureDistance | None = None
    warmup_steps: Size = 0
    encoder: EncoderLearning = "frozen"
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Check every field, and refuse what could not act."""
        # Not super(): dataclasses with slots are made anew, and its cell still holds the old one.
        Record.__post_init__(self)
        if self.distance is not None and self.encoder == "frozen":
            raise ConfigError(
                f"distance is {self.distance} and encoder 'frozen', which goes nowhere; set "
                'encoder="norms" or LowRank(), or leave distance out.'
            )
