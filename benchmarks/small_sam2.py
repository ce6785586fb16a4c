"""How well a trained SAM2 follows objects: real videos, and generated ones where objects vanish.

On eight DAVIS videos, 20 frames each, region similarity J (intersection over union at full size) of
the object annotated on the first frame, mean over the frames after it, for

* `copy`: the first mask, left where it is;
* `flow`: the mask moved along by DIS optical flow;
* `sam2, mask` and `sam2, point`: a video model of transformers, such as one trained with
  `examples/train_small_sam2`, shown the first mask, or the point deepest inside of it.

On generated clips that were not trained on, the share of frames in which the model says that an
object is gone, of those where it has been gone for three frames or more.

On three videos of the demo, with its noise, blur and drift, the share of pixels with the right
label, over eight frames: of the demo's image model, and of what the video model makes of that.

    python -m benchmarks.small_sam2
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import data_root, davis_voc
from ditta_adapt import AdaptConfig, MaskVote, Prompt, Propagator
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.sam2_transformers import SMALL, Sam2TransformersPropagator
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.datasets import VideoDataset
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.program import SEED
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.reporting.tables import plain
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.warm_up import WarmUp
from examples.train_small_sam2.clips import held_out_clips

GONE_FOR = 3


def teachers(weights: Path) -> dict[str, Propagator | None]:
    """The rows of the table; none stands for copying."""
    point = Sam2TransformersPropagator(checkpoint=weights)
    mask = Sam2TransformersPropagator(checkpoint=weights, mask_prompts=True)
    return {
        "copy": None,
        "flow": OpticalFlowPropagator(),
        "sam2, mask": mask,
        "sam2, point": point,
    }


def deepest_point(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (x, y) farthest from the outline of a mask `(H, W)`."""
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)
    y, x = np.unravel_index(distance[1:-1, 1:-1].argmax(), mask.shape)
    return int(x), int(y)


def follow(
    teacher: Propagator | None, frames: Sequence[np.ndarray], first: np.ndarray
) -> tuple[list[Tensor], float]:
    """Masks `(H, W)` of all frames after the first, and milliseconds a frame."""
    region = torch.from_numpy(first)
    if teacher is None:
        return [region] * (len(frames) - 1), 0.0
    prompt = Prompt(1, deepest_point(first), region)
    with teacher.open(list(frames)) as session:
        session.prompt(0, [prompt])
        start = time.perf_counter()
        masks = [session.propagate(t - 1, t).masks[0] for t in range(1, len(frames))]
        return masks, 1000 * (time.perf_counter() - start) / len(masks)


def region_similarity(mask: Tensor, truth: np.ndarray) -> float:
    """J: intersection over union, 1 if both are empty."""
    true = torch.from_numpy(truth)
    union = int((mask | true).sum())
    return int((mask & true).sum()) / union if union else 1.0


def on_davis(videos: VideoDataset, chosen: dict[str, Propagator | None], frames: int) -> None:
    """Print a line a teacher and video, and the means."""
    lines = [["DAVIS", "video", "J", "J last", "ms a frame"]]
    for name, teacher in chosen.items():
        rows = []
        for video in videos:
            first, *truths = [np.equal(labels, 1) for labels in video.labels[:frames]]
            masks, ms = follow(teacher, video.frames[:frames], first)
            scores = [
                region_similarity(mask, truth) for mask, truth in zip(masks, truths, strict=True)
            ]
            rows.append((float(np.mean(scores)), scores[-1], ms))
        names = [*videos.names, "mean"]
        for video_name, (j, last, ms) in zip(names, [*rows, np.mean(rows, axis=0)], strict=True):
            lines.append([name, video_name, f"{j:.3f}", f"{last:.3f}", f"{ms:.1f}"])
    print(plain(lines) + "\n", flush=True)


def on_generated(chosen: dict[str, Propagator | None], clips: int, side: int) -> None:
    """Print, for each teacher, J and how often it notices that an object is gone."""
    lines = [["generated clips", "J", "gone", "of frames", "seen", "of frames"]]
    for name, teacher in chosen.items():
        scores: list[float] = []
        gone: list[bool] = []
        seen: list[bool] = []
        for frames, ids in held_out_clips(clips, num_frames=20, size=side, absent=1.0):
            for number in np.unique(ids[0][ids[0] > 0]):
                truth = ids == number
                masks, _ = follow(teacher, list(frames), truth[0])
                absent = 0
                for mask, true in zip(masks, truth[1:], strict=True):
                    absent = 0 if true.any() else absent + 1
                    if absent == 0:
                        scores.append(region_similarity(mask, true))
                        seen.append(bool(mask.any()))
                    elif absent >= GONE_FOR:
                        gone.append(not mask.any())
        line = [name, f"{np.mean(scores):.3f}", f"{np.mean(gone):.3f}", f"{len(gone)}"]
        lines.append([*line, f"{np.mean(seen):.3f}", f"{len(seen)}"])
    print(plain(lines) + "\n", flush=True)


def on_demo(chosen: dict[str, Propagator | None], frames: int = 8) -> None:
    """Print, for each video and SAM2, the share of pixels that are taught right."""
    masks = AdaptConfig(targets=MaskVote())
    sam2 = {k: v for k, v in chosen.items() if isinstance(v, Sam2TransformersPropagator)}
    lines = [["labels, demo", "image model", *sam2]]
    for seed in range(SEED, SEED + 3):
        clean, truth = render_video(seed, frames)
        shown = frames_to_tensors(list(shift_frames(clean, seed=seed)))
        segmenter = SegformerSegmenter(load_demo_model())
        view = WarmUp.from_frames(segmenter, shown, silent)
        labels = [[prediction.labels for prediction in view.predictions]]
        for teacher in sam2.values():
            labels.append(list(build_targets(teacher, view, masks, silent).labels))
        right = [float((torch.stack(own).numpy() == truth).mean()) for own in labels]
        lines.append([f"video {seed}", *(f"{share:.3f}" for share in right)])
    print(plain(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.small_sam2",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, help="folder with davis/, or DAVIS itself")
    parser.add_argument(
        "--weights", type=Path, default=SMALL, help="folder of a model (default: the shipped one)"
    )
    parser.add_argument("--frames", type=int, default=20, help="of each DAVIS video")
    parser.add_argument("--clips", type=int, default=30, help="generated; 0 to leave them out")
    parser.add_argument("--side", type=int, default=256, help="of the generated clips")
    options = parser.parse_args(arguments)
    chosen = teachers(options.weights)
    on_davis(davis_voc(options.root or data_root()), chosen, options.frames)
    if options.clips:
        on_generated(chosen, options.clips, options.side)
    on_demo(chosen)


if __name__ == "__main__":
    main()
