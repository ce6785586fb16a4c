"""Whether two runs are the same: all that decides about their results."""

from dataclasses import asdict
from typing import Any

from ditta_adapt.errors import InputError
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.report import library_versions
from ditta_adapt.running.request import Request
from ditta_adapt.running.source import Source
from ditta_adapt.video_segmenter import VideoSegmenter


def identity(
    source: Source, video_model: VideoSegmenter, request: Request, settings: dict[str, str]
) -> dict[str, Any]:
    """Values that JSON can hold: the files, by place, size and time; the weights; what is asked.

    Raises:
        InputError: a file cannot be looked at.
    """
    files: list[tuple[str, int, int]] = []
    for path in source.files:
        try:
            found = path.stat()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        files.append((str(path.resolve()), found.st_size, found.st_mtime_ns))
    return {
        "source": source.name,
        "files": files,
        "asked": asked_of(request),
        "settings": settings,
        "config": video_model.config.to_dict(),
        "model_hash": weight_hash(video_model.segmenter),
        "versions": library_versions(),
    }


def asked_of(request: Request) -> dict[str, Any]:
    """A request as values that JSON can hold."""
    asked = asdict(request)
    asked["excerpt"] = {name: str(value) for name, value in asked["excerpt"].items()}
    return asked
