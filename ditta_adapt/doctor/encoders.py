"""Which video encoders PyAV brings."""

from collections.abc import Callable

from ditta_adapt.doctor.finding import Finding, found
from ditta_adapt.errors import MissingDependencyError
from ditta_adapt.io.optional import require

_USES = {"libx264": "H.264, which videos are written in", "libx265": "H.265, of crf_compression"}


def encoders() -> list[Finding]:
    """The encoders that something here uses."""
    return [found(name, _looking(name), "see PyAV above") for name in _USES]


def _looking(name: str) -> Callable[[], str]:
    def look() -> str:
        av = require("av")
        if name not in av.codecs_available:
            raise MissingDependencyError(
                f"{_USES[name]}: PyAV {av.__version__} is built without it. Install it with: "
                "pip install --force-reinstall --only-binary :all: av"
            )
        return f"{_USES[name]}, by FFmpeg {av.ffmpeg_version_info}"

    return look
