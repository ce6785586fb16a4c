"""Clips that tests label: images, a clip with sound, one of high dynamic range."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.toys import toy_video


def write_images(folder: Path, frames: list[np.ndarray]) -> list[Path]:
    paths = [folder / f"frame{k}.png" for k in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray(frame).save(path)
    return paths


def write_with_sound(path: Path, frames: int, codec: str = "aac") -> None:
    """A clip of ten frames a second, with a tone."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        audio: Any = container.add_stream(codec, rate=8000)
        tone = np.sin(np.arange(800 * frames) / 5).astype(np.float32)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 8000, 0
        for frame in toy_video(frames, size=(32, 48)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        resampler = av.AudioResampler(format=audio.codec_context.format, layout="mono", rate=8000)
        for part in resampler.resample(sound):
            container.mux(audio.encode(part))
        container.mux(audio.encode())
        container.mux(video.encode())


def write_hdr(path: Path) -> None:
    """A clip of 10 bits and the transfer function PQ."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx265", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        stream.codec_context.color_trc = 16
        stream.options = {"x265-params": "log-level=none:transfer=16"}
        for frame in toy_video(4, size=(64, 64)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
