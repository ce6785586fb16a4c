"""Optical flow: how fast, how exact on generated motion, and what the memory gains by it.

Times are of both ways at 288 x 512, median. The error is the mean end-point error in pixels of
that size, on textured pictures that are bent smoothly. "Fits" is the mean photometric consistency
of real neighbouring frames as warped. "Gain" is what the memory of the image model's votes, carried
by that flow, adds to the object's IoU on real videos, every second frame; with the worst video, and
the worst difference to the first method. The last two need the shared data.

    python -m benchmarks.flow
    python -m benchmarks.flow --device cuda --times-only
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.davis import DEFAULT_MANIFEST, data_root, davis_voc
from benchmarks.espnetv2 import load_espnetv2
from benchmarks.never_hurts.cases import MORE_MANIFEST
from benchmarks.speed.clock import interleaved
from benchmarks.speed.workload import device_name, median, moving
from ditta_adapt import HookedSegmenter, WarpedVotes
from ditta_adapt.adapters.optical_flow.dis import DIS
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import frame_output
from ditta_adapt.ops.photometric import colours_on_grid
from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.reporting.tables import markdown
from ditta_adapt.streaming.memory import past_votes, update_memory
from ditta_adapt.teachers import SharedVideo
from ditta_adapt.teachers.flow import FlowEstimator, FlowField, FlowSession, LucasKanade

SIZE = (288, 512)


class Farneback:
    """OpenCV's Farneback flow, as often taken; see `FlowEstimator`."""

    def prepare(self, frame: Tensor, size: tuple[int, int]) -> np.ndarray:
        """Grey levels, as for DIS."""
        return DIS().prepare(frame, size)

    def flow(self, first: np.ndarray, second: np.ndarray) -> Tensor:
        """Both ways, one after the other."""
        import cv2

        settings: tuple[Any, ...] = (None, 0.5, 5, 15, 3, 5, 1.1, 0)
        ways = [
            cv2.calcOpticalFlowFarneback(*pair, *settings)
            for pair in ((first, second), (second, first))
        ]
        return torch.from_numpy(np.stack(ways)).permute(0, 3, 1, 2)


METHODS = {"DIS, medium": DIS, "Lucas-Kanade": LucasKanade, "Farneback": Farneback}


@dataclass(frozen=True)
class Quality:
    """How good flow is on real videos.

    Attributes:
        fits: mean photometric consistency.
        gain: of the object's IoU by the memory, by video.
    """

    fits: float
    gain: dict[str, float]


def milliseconds(names: Sequence[str], device: torch.device, rounds: int) -> list[float]:
    """Median time of both ways between two frames of which one is new."""
    frames = [frame_to_tensor(frame).to(device) for frame in moving(rounds + 5, SIZE)]

    def both(estimator: FlowEstimator, number: int) -> Tensor:
        pair = (estimator.prepare(frames[number + i], SIZE) for i in (0, 1))
        return estimator.flow(*pair)

    estimators = [METHODS[name]() for name in names]
    times = interleaved([partial(both, each) for each in estimators], device, rounds=rounds)
    return [1e3 * median(own) for own in times]


def end_point_error(estimator: FlowEstimator, device: torch.device) -> tuple[float, float]:
    """Mean and worst, over pictures and amplitudes of 4 and 16 pixels."""
    errors = []
    for first, second, truth in bent_pictures():
        pair = (estimator.prepare(image.to(device), SIZE) for image in (first, second))
        found = estimator.flow(*pair)[:1].float().cpu()
        scale = SIZE[1] / found.shape[3]
        found = scale * F.interpolate(found, SIZE, mode="bilinear", align_corners=False)
        error = (found[0] - truth).norm(dim=0)[32:-32, 32:-32]
        errors.append(float(error.mean()))
    return float(np.mean(errors)), max(errors)


def bent_pictures() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """A picture that was bent, the picture, and the flow from the one to the other."""
    generator = torch.Generator().manual_seed(0)
    height, width = SIZE
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for frame in moving(6, SIZE)[::2]:
        picture = frame_to_tensor(frame)
        for amplitude in (4.0, 16.0):
            coarse = torch.randn(1, 2, 4, 6, generator=generator)
            flow = F.interpolate(coarse, SIZE, mode="bicubic", align_corners=True)[0]
            flow = amplitude * flow / flow.abs().max()
            x, y = 2 * (xs + flow[0]) / (width - 1) - 1, 2 * (ys + flow[1]) / (height - 1) - 1
            grid = torch.stack([x, y], dim=-1)[None]
            bent = F.grid_sample(
                picture[None].float(), grid, padding_mode="reflection", align_corners=True
            )
            # What is at x in the bent picture is at x + flow(x) in the picture.
            yield bent[0].round().byte(), picture, flow


@cache
def votes_of(video: str) -> tuple[list[Tensor], list[Tensor], LabelledVideo]:
    """Frames, the image model's votes on them, and the truth; every second frame, 40 at most."""
    whole = next(videos[videos.names.index(video)] for videos in sources() if video in videos.names)
    frames = [frame_to_tensor(frame) for frame in whole.frames[::2][:40]]
    labels = list(whole.labels[::2][:40])
    model = load_espnetv2(data_root() / "weights" / "espnetv2_s_2.0_pascal_384x384.pth")
    segmenter = HookedSegmenter(
        model, decoder="decoder", logits=lambda output: output[1], size=(256, 448)
    )
    votes = [soft_votes(frame_output(segmenter, frame).logits) for frame in frames]
    return frames, votes, LabelledVideo(video, whole.frames[::2][:40], labels, whole.relabel)


def sources() -> list[Any]:
    """The videos with labels."""
    return [davis_voc(data_root(), manifest=path) for path in (DEFAULT_MANIFEST, MORE_MANIFEST)]


def quality(estimator: FlowEstimator, videos: Sequence[str]) -> Quality:
    """Carry the image model's votes along, and compare with the truth."""
    options, fits, gains = WarpedVotes(), [], {}
    for video in videos:
        frames, votes, truth = votes_of(video)
        assert truth.relabel is not None
        table = torch.from_numpy(np.asarray(truth.relabel)).long()
        field = FlowField(
            [f.permute(1, 2, 0) for f in frames], lambda device: estimator, SIZE[1], 2.0
        )
        assert isinstance(field, SharedVideo)
        session, memory = FlowSession(field), votes[0]
        grid = (memory.shape[1], memory.shape[2])
        counts = np.zeros((2, 2))
        for t in range(1, len(frames)):
            colours = [colours_on_grid(frame, grid) for frame in frames[t - 1 : t + 1]]
            warp = partial(session.warp, t=t - 1, to=t)
            past, fit = past_votes(warp, memory, colours[0], colours[1], options)
            memory = update_memory(past, votes[t])
            fits.append(float(fit))
            true = torch.from_numpy(np.asarray(truth.labels[t])).long()
            known = true < 2
            for way, scores in enumerate((votes[t], memory)):
                sized = F.interpolate(scores[None], true.shape, mode="bilinear")
                shown = table[sized.max(dim=1).indices[0]]
                both, either = (shown == 1) & (true == 1), (shown == 1) | (true == 1)
                counts[way] += [int((both & known).sum()), int((either & known).sum())]
        iou = counts[:, 0] / counts[:, 1].clip(min=1)
        gains[video] = float(iou[1] - iou[0])
    return Quality(float(np.mean(fits)), gains)


def main(arguments: Sequence[str] | None = None) -> list[list[str]]:
    """Measure, print, and return the lines of times."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.flow",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--times-only", action="store_true", help="no real videos")
    parser.add_argument("--videos", nargs="+", help="of the shared data; all by default")
    options = parser.parse_args(arguments)
    device, names = torch.device(options.device), list(METHODS)
    times = milliseconds(names, device, options.rounds)
    timed = [["", "ms", "error, px", "worst"]]
    for name, taken in zip(names, times, strict=True):
        mean, worst = end_point_error(METHODS[name](), device)
        timed.append([name, f"{taken:.1f}", f"{mean:.2f}", f"{worst:.2f}"])
    print(f"{SIZE[0]} x {SIZE[1]}, both ways; {device_name(device)}\n\n{markdown(timed)}")
    if options.times_only:
        return timed
    videos = options.videos or [name for source in sources() for name in source.names]
    found = {name: quality(METHODS[name](), videos) for name in names}
    first = next(iter(found.values())).gain
    lines = [["", "fits", "gain", "worst video", "worst to DIS"]]
    for name, each in found.items():
        behind = min(each.gain[video] - first[video] for video in videos)
        gain = list(each.gain.values())
        cells = [np.mean(gain), min(gain), behind]
        lines.append([name, f"{each.fits:.3f}", *(f"{value:+.4f}" for value in cells)])
    print(f"\n{len(videos)} videos\n\n{markdown(lines)}")
    return timed


if __name__ == "__main__":
    main()
