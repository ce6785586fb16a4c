"""Second looks at the videos that are not learned: they judge, and tell at which sizes to look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig, Checks, SecondLook
from ditta_adapt.domain.held_out import HeldOut, Judged
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import FrameLike, frame_to_tensor
from ditta_adapt.models.forward import decode_checked, encode_frame
from ditta_adapt.models.second_look import second_look
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.safety.doubted_scales import doubted_scales
from ditta_adapt.safety.trusted_looks import left_out, no_look, without_scales


@dataclass(frozen=True, slots=True)
class DomainLooks:
    """What second looks at held-out videos say.

    Attributes:
        judge: of adapted models, by the scales that are not doubted.
        trusted: at which sizes looks may teach, not mirrored; None where only larger ones than
            usual are left, which alone are not trusted, see `look_twice`.
        note: in plain words, what is not looked at.
    """

    judge: HeldOut
    trusted: SecondLook | None
    note: str


def look_at_held_out(
    source: Segmenter, videos: Sequence[Sequence[FrameLike]], frames: int, config: AdaptConfig
) -> DomainLooks:
    """Look at frames of every video at all sizes, and leave those out that are doubted.

    Args:
        source: the image model with its pre-trained weights.
        videos: that are held out.
        frames: of each, spread evenly. All together tell which scales are doubted.
        config: with looks; unless its `safety` checks, no scale is doubted.

    Raises:
        InputError: a video has no frame; or the model can be shown frames at no other size, so that
            nothing could be judged.
    """
    assert config.look is not None
    # Mirrored ones cost as much again, and taught nothing more where it was measured.
    look = replace(config.look, warmup_mirror=False)
    shown = [
        [
            frame_to_tensor(video[int(t)], name=f"a frame of held-out video {number}").clone()
            for t in np.unique(np.linspace(0, len(video) - 1, frames).round().astype(int))
        ]
        for number, video in enumerate(videos)
    ]
    seen = [[_seen(source, frame, look.warmup_scales) for frame in video] for video in shown]
    every = [each for video in seen for each in video]
    missing = tuple(dict.fromkeys(scale for each in every for scale in each.missing))
    doubted: tuple[float, ...] = ()
    if isinstance(config.safety, Checks):
        views = [each.views for each in every]
        doubted = doubted_scales([each.labels for each in every], views, source.num_classes)
    if not doubted:
        return DomainLooks(_judge(source, shown, seen), look, left_out(missing, doubted))
    scales = tuple(scale for scale in look.warmup_scales if scale not in doubted)
    again = [[_seen(source, frame, scales) for frame in video] for video in shown]
    trusted = without_scales(look, doubted, missing)
    note = no_look(doubted) if trusted is None else left_out(missing, doubted)
    return DomainLooks(_judge(source, shown, again), trusted, note)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Labels of a frame: as usual, by all other scales together and by each alone."""

    labels: Integer[Tensor, "h w"]
    beside: Integer[Tensor, "h w"]
    views: Mapping[float, Integer[Tensor, "h w"]]
    missing: tuple[float, ...]


def _seen(source: Segmenter, frame: UInt8[Tensor, "3 H W"], scales: Sequence[float]) -> _Seen:
    with torch.no_grad():
        logits = decode_checked(source, encode_frame(source, frame)).logits.float()
    found = second_look(source, frame, logits, scales, views=True)
    if found.labels is None:
        raise InputError(
            "the model can be shown frames at no other size, so that nothing could judge what it "
            "learned. Adapt it to each video on its own."
        )
    labels = _small(logits[0].argmax(dim=0))
    views = {scale: _small(each) for scale, each in found.views.items()}
    # A size at which numbers are not finite says what the usual one does, see `second_look`.
    views = {scale: each for scale, each in views.items() if (each != labels).any()}
    return _Seen(labels, _small(found.labels), views, found.missing)


def _small(labels: Integer[Tensor, "h w"]) -> Integer[Tensor, "h w"]:
    return labels.to("cpu", torch.int16)


def _judge(
    source: Segmenter, shown: Sequence[Sequence[Tensor]], seen: Sequence[Sequence[_Seen]]
) -> HeldOut:
    judged = [
        [Judged(frame, each.labels, each.beside) for frame, each in zip(*video, strict=True)]
        for video in zip(shown, seen, strict=True)
    ]
    return HeldOut(judged, source.num_classes)
