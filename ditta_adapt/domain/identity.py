"""Whether two adaptations to a domain are the same: all that decides about their results."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from ditta_adapt.config import DomainConfig
from ditta_adapt.domain.source_clips import SourceClips
from ditta_adapt.io.frames import FrameLike, frame_to_tensor
from ditta_adapt.models.parameters import device_of, weight_hash
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.report import library_versions
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.teachers.propagator import Propagator

_SEEN = 8
"""Source videos of which a labelled frame is compared; of the others, the name."""


def identity(
    segmenter: Segmenter,
    videos: Sequence[Sequence[FrameLike]],
    propagator: Propagator,
    target_builder: TargetBuilder,
    source: SourceClips | None,
    reference: Segmenter | None,
    config: DomainConfig,
) -> dict[str, Any]:
    """Values that JSON can hold. Of every video, its length and its first frame are compared.

    Raises:
        InputError: a frame cannot be read.
    """
    return {
        "model_hash": weight_hash(segmenter),
        # On another one, results are not the same bit for bit.
        "device": device_of(segmenter).type,
        "lengths": [len(frames) for frames in videos],
        "first_frames": [_digest(frame_to_tensor(frames[0])) for frames in videos],
        "propagator": _described(propagator),
        "target_builder": _described(target_builder),
        "source": None if source is None else _of_source(source),
        "reference": None if reference is None else weight_hash(reference),
        "config": config.to_dict(),
        "versions": library_versions(),
    }


def _of_source(source: SourceClips) -> dict[str, Any]:
    some = source.only(range(min(len(source), _SEEN)))
    seen = [
        [_digest(each.frame), _digest(each.labels)] for video in some.spread(1) for each in video
    ]
    return {"names": source.names, "seen": seen}


def _described(thing: object) -> dict[str, Any]:
    """Its name, and the plain values that it was made with."""
    own = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    kinds = (str, int, float, bool, Path, type(None))
    values = {
        name: repr(value)
        for name, value in sorted(getattr(thing, "__dict__", {}).items())
        if isinstance(value, kinds)
    }
    return {"name": f"{getattr(thing, '__module__', '')}.{own}", "values": values}


def _digest(tensor: Tensor) -> str:
    return sha256(tensor.cpu().contiguous().numpy().tobytes()).hexdigest()
