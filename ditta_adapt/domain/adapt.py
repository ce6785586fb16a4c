"""Adaptation to many videos of one domain: self-training with a slow teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from ditta_adapt.config import AdaptConfig, DomainConfig
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.domain.checkpoint import Checkpoint
from ditta_adapt.domain.identity import identity
from ditta_adapt.domain.report import DomainReport
from ditta_adapt.domain.source_clips import SourceClips
from ditta_adapt.domain.training import DomainTraining
from ditta_adapt.domain.video_frames import frames_of
from ditta_adapt.errors import ConfigError, InputError
from ditta_adapt.io.frames import FrameLike
from ditta_adapt.keeping.domain_weights import save_domain
from ditta_adapt.models.caller_state import own_gradient_mode, seeded, without_autocast
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback, check_progress, silent
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder, check_builder
from ditta_adapt.teachers.propagator import Propagator, TakesFeatures
from ditta_adapt.teachers.registry import find_propagator

Video: TypeAlias = Sequence[FrameLike] | LabelledVideo


@dataclass(frozen=True)
class DomainResult:
    """A model that knows a domain.

    Attributes:
        segmenter: a copy of the image model with what was learned; without it, where that was
            refused. `wrap` takes it.
        image_model: as it was given.
        learned: the weights that were, by name.
        report: what was done.
    """

    segmenter: Segmenter
    image_model: Segmenter
    learned: Mapping[str, Tensor]
    report: DomainReport

    def save_pretrained(self, path: str | Path) -> None:
        """Write what was learned to a folder, which `VideoSegmenter.load_pretrained` reads.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        config = self.report.config
        save_domain(
            path,
            self.learned,
            self.image_model,
            self.report.to_dict(),
            encoder=config.encoder,
            detail=config.detail,
        )


def adapt_to_domain(
    model: Any,
    videos: Sequence[Video],
    *,
    source: VideoDataset | Sequence[LabelledVideo] | None = None,
    propagator: Propagator | str = "flow",
    config: DomainConfig | None = None,
    target_builder: TargetBuilder = build_targets,
    reference: Any = None,
    checkpoint: str | Path | None = None,
    progress: ProgressCallback = silent,
) -> DomainResult:
    """Learn what many unlabelled videos have in common; each can be adapted to from there.

    A teacher labels clips by votes of neighbouring frames along the propagator's warps, and of its
    second looks at the sizes that are trusted, see `look_at_videos`. A student learns them,
    balanced over classes, and the teacher follows it slowly. Videos of rare classes come more
    often. After every round the teacher is compared with the image model on videos that are held
    out, by second looks of the image model. The best round is kept if it is better by more than two
    standard errors; else nothing is. Where no size is trusted but the usual one, nothing is learned
    without a source.

    Args:
        model: a model of a known type, or any `Segmenter`; stays as it is.
        videos: sequences of frames, such as lists; frames are read when they are needed. Videos
            shorter than a clip are learned as a whole; a clip that cannot be read teaches nothing,
            and the report says so. Labels of a `LabelledVideo` teach nothing:
            the report tells how good pseudo-labels are.
        source: videos with labels of the model's own classes; frames and videos without are passed
            over.
            None: nothing but the videos is learned from.
        propagator: warps votes, or follows objects; or the registered name of one.
        config: of all of it.
        target_builder: makes the labels of a clip that the teacher has seen.
        reference: a model, or any `Segmenter`, whose encoder's features `config.distance` compares
            with; by default the model itself, as it was.
        checkpoint: a file that is written once a minute and after every round, and gone on from if
            it is there; it stays. The same arguments then give the same result as in one piece.
            None: nothing is written.
        progress: called after every clip.

    Raises:
        InputError: fewer than two videos, one without frames, or a malformed frame (`ShapeError`);
            labels of the source, or targets, that do not fit.
        CheckpointError: the checkpoint cannot be written, is none, or is of something else.
        ConfigError: the configuration asks for no targets, or for no second looks; a reference that
            nothing is compared with; or things that the model has no class for.
        SegmenterError: the model's output breaks its contract.
        PropagationError: the propagator raised or broke its contract.
        AdaptationError: a loss is not finite, or no gradient reaches what is trained.

    Source: mean teachers (Tarvainen and Valpola, NeurIPS 2017) and self-training for segmentation
    (Hoyer et al., DAFormer, CVPR 2022); with source data, of videos: UnifiedVideoDA (arXiv
    2402.00868).
    """
    config = config or DomainConfig()
    check_progress(progress)
    check_builder(target_builder, config.adapt)
    _check(config, videos)
    segmenter, teaches = find_segmenter(model), find_propagator(propagator)
    compared = _reference(reference, config)
    _check_things(config, segmenter.num_classes)
    if isinstance(teaches, TakesFeatures):
        teaches.bind(segmenter)
    clips = None if source is None else SourceClips(source, segmenter.num_classes)
    device, kept = device_of(segmenter), None
    if checkpoint is not None:
        frames = [frames_of(video) for video in videos]
        asked = identity(segmenter, frames, teaches, target_builder, clips, compared, config)
        kept = Checkpoint(checkpoint, asked)
    with own_gradient_mode(), seeded(config.seed, device), without_autocast(device):
        training = DomainTraining(
            segmenter, videos, teaches, target_builder, clips, compared, config, kept, progress
        )
        adapted, learned, report = training.run()
    return DomainResult(adapted, segmenter, learned, report)


def _reference(reference: Any, config: DomainConfig) -> Segmenter | None:
    if reference is None:
        return None
    if config.distance is None:
        raise ConfigError(
            "reference is given and config.distance is None, so that nothing is compared with it; "
            "set distance=FeatureDistance(), or leave reference out."
        )
    return find_segmenter(reference)


def _check_things(config: DomainConfig, num_classes: int) -> None:
    things = config.distance.things if config.distance is not None else ()
    if any(thing >= num_classes for thing in things):
        raise ConfigError(
            f"distance.things are {things}; expected classes of the model, in [0, {num_classes})."
        )


def _check(config: DomainConfig, videos: Sequence[Video]) -> None:
    for index, video in enumerate(videos):
        if not len(frames_of(video)):
            raise InputError(f"video {index} has no frame.")
    adapt: AdaptConfig = config.adapt
    if adapt.targets is None or adapt.look is None or adapt.training.contrast is not None:
        raise ConfigError(
            "adapt has no targets, no look, or a contrastive loss; a domain is learned from "
            "targets, judged by looks, and has no objects to contrast."
        )
