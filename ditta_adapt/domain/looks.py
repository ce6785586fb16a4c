"""Second looks at videos: they tell at which sizes to look, and judge where nothing is learned."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from ditta_adapt.models.second_look import Views, second_look
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.safety.trust import Trust, trust

# Videos that are learned, of which it is asked at which sizes to look.
_OTHERS = 32


@dataclass(frozen=True, slots=True)
class DomainLooks:
    """What second looks at videos say.

    Attributes:
        judge: of adapted models, by the scales that are not doubted.
        trusted: at which sizes looks may teach, not mirrored; None where none is trusted, see
            `trust`.
        note: in plain words, what is not looked at.
    """

    judge: HeldOut
    trusted: SecondLook | None
    note: str


def look_at_videos(
    source: Segmenter,
    held_out: Sequence[Sequence[FrameLike]],
    learned: Sequence[Sequence[FrameLike]],
    frames: int,
    config: AdaptConfig,
) -> DomainLooks:
    """Look at frames of many videos at all sizes, and leave those out that are doubted.

    All videos tell which ones these are, by `trust` over means of videos; of two videos, over
    frames. Those that are held out judge.

    Args:
        source: the image model with its pre-trained weights.
        held_out: videos that judge.
        learned: others; 32 of them are looked at, spread evenly, and frames that cannot be read are
            passed over.
        frames: of each, spread evenly.
        config: with looks; unless its `safety` checks, no scale is doubted, nor are videos looked
            at that are learned.

    Raises:
        InputError: a frame of a held-out video cannot be read; or the model can be shown frames at
            no other size, so that nothing could be judged.
    """
    assert config.look is not None
    # Mirrored ones cost as much again, and taught nothing more where it was measured.
    look = replace(config.look, warmup_mirror=False)
    shown = [
        [_frame(video, t, number) for t in _spread(len(video), frames)]
        for number, video in enumerate(held_out)
    ]
    seen = [[_seen(source, frame, look.warmup_scales) for frame in video] for video in shown]
    trusted = Trust(look)
    if isinstance(config.safety, Checks):
        others = [learned[index] for index in _spread(len(learned), _OTHERS)]
        more = [
            [_seen(source, frame, look.warmup_scales) for frame in _readable(video, frames)]
            for video in others
        ]
        trusted = _trusted(look, [*seen, *more], source.num_classes)
    missing = tuple(dict.fromkeys(s for video in seen for each in video for s in each.missing))
    if trusted.doubted:
        scales = [scale for scale in look.warmup_scales if scale not in trusted.doubted]
        seen = [[_seen(source, frame, scales) for frame in video] for video in shown]
    judged = [
        [
            Judged(frame, each.views.usual, each.beside)
            for frame, each in zip(*video, strict=True)
            if each.beside is not None
        ]
        for video in zip(shown, seen, strict=True)
    ]
    if not any(judged):
        raise InputError(
            "the model can be shown frames at no other size, so that nothing could judge what it "
            "learned. Adapt it to each video on its own."
        )
    judge = HeldOut([video for video in judged if video], source.num_classes)
    return DomainLooks(judge, trusted.look, trusted.note(missing))


def _spread(length: int, count: int) -> list[int]:
    chosen = np.linspace(0, length - 1, min(count, length)).round()
    return sorted({int(t) for t in chosen})


def _frame(video: Sequence[FrameLike], t: int, number: int) -> UInt8[Tensor, "3 H W"]:
    return frame_to_tensor(video[t], name=f"a frame of held-out video {number}").clone().cpu()


def _readable(video: Sequence[FrameLike], frames: int) -> Iterator[UInt8[Tensor, "3 H W"]]:
    for t in _spread(len(video), frames):
        # What is malformed is said where it is learned.
        with suppress(InputError):
            yield frame_to_tensor(video[t])


def _trusted(look: SecondLook, seen: Sequence[Sequence["_Seen"]], num_classes: int) -> Trust:
    every = [(each.views, number) for number, video in enumerate(seen) for each in video]
    # Two videos could never be sure.
    groups = [number for _, number in every] if len(seen) > 2 else None
    return trust(look, [views for views, _ in every], num_classes, groups)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame at several sizes; and its labels by all but the usual one together."""

    views: Views
    beside: Integer[Tensor, "h w"] | None
    missing: tuple[float, ...]


def _seen(source: Segmenter, frame: UInt8[Tensor, "3 H W"], scales: Sequence[float]) -> _Seen:
    with torch.no_grad():
        logits = decode_checked(source, encode_frame(source, frame)).logits.float()
    found = second_look(source, frame, logits, scales, views=True)
    assert found.views is not None
    beside = None if found.labels is None else found.labels.to("cpu", torch.int16)
    return _Seen(found.views.to(torch.int16, "cpu"), beside, found.missing)
