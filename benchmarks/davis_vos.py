"""How well propagators follow objects through whole videos, from their first masks.

Eight videos of DAVIS 2016, all frames, the first mask given; J & F as its evaluator has it, the
mean of region similarity and contour accuracy, first and last frame left out. Rows:

* `copy`: the first mask, left where it is;
* `flow`: moved along by optical flow;
* `sam2-small`: the library's own small SAM2, shown the mask;
* `matching`: features of the ESPNetv2 that labels DAVIS-VOC, compared with those of frames before;
* `stcn-small`: the library's own small space-time correspondence network;
* `NAME+OBJECTIVE`: one of these, trained on each video first, by `mask_cycle`, `entropy` or
  `mask_autoencoder`, for as long as held-out cycles get better; with `:20` or another number, for
  so many steps;
* any other name that `propagator=` takes.

Corruptions of DAVIS-C spoil all frames; the masks stay those of the clean video.

    python -m benchmarks.davis_vos --json davis_vos.json
    python -m benchmarks.davis_vos --corruptions gaussian_noise contrast motion_blur --videos 4
    python -m benchmarks.davis_vos --dataset youtube-vos --root YouTubeVOS --teachers cutie

Of `--dataset` all videos are followed, each object from the frame in which it begins; where too
few frames are annotated to score anything, `--save DIR` writes what a server takes. Rows that the
file has already are not measured again.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.davis import data_root, davis_voc
from benchmarks.vos.measuring import CLEAN, Row, measure
from benchmarks.vos.propagators import PLAIN, TRAINED, Course
from benchmarks.vos.tables import table
from ditta_adapt.datasets.object_video import ObjectVideo, ObjectVideos
from ditta_adapt.datasets.video_objects import LAYOUTS, open_objects
from ditta_adapt.io.files import write_files


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davis_vos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teachers", nargs="+", default=[*PLAIN, *TRAINED])
    parser.add_argument(
        "--corruptions", nargs="*", default=[], help="NAME or NAME:STRENGTH; by default high"
    )
    parser.add_argument("--videos", type=int, help="the first so many; of DAVIS 2016 by default 8")
    parser.add_argument("--dataset", choices=LAYOUTS, help="all videos of one that lies in --root")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--year", type=int, default=2017, help="of DAVIS")
    parser.add_argument(
        "--frames", type=Path, help="folder of frames a video in place of the data set's own"
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=[3], help="frames of a sequence")
    parser.add_argument(
        "--jumps", nargs="+", default=["10"], help="most frames from one to the next, or random"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--save", type=Path, help="folder for the masks as PNG files")
    parser.add_argument("--json", type=Path, help="file of rows, which is gone on with")
    options = parser.parse_args(arguments)
    if (options.dataset is None) != (options.root is None):
        parser.error("--dataset and --root go together")
    return options


def shown(options: argparse.Namespace) -> tuple[list[ObjectVideo], ObjectVideos]:
    """The videos that options ask for, and the data set they are of."""
    if options.dataset:
        data = open_objects(
            options.dataset,
            options.root,
            split=options.split,
            year=options.year,
            frames=options.frames,
        )
        return list(data.videos[: options.videos]), data
    data = open_objects("davis", data_root() / "davis", year=2016, frames=options.frames)
    by_name = {video.name: video for video in data.videos}
    names = davis_voc(data_root()).names[: options.videos or 8]
    return [by_name[name] for name in names], data


def courses(options: argparse.Namespace, name: str) -> list[Course]:
    """How a propagator is trained; in one way if it is not."""
    if "+" not in name:
        return [Course()]
    return [
        Course(length, None if jump == "random" else int(jump), seed)
        for length in options.lengths
        for jump in options.jumps
        for seed in options.seeds
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = read(arguments)
    rows: list[Row] = []
    if options.json and options.json.exists():
        rows = json.loads(options.json.read_text("utf-8"))
    keys = ("teacher", "video", "frames", "length", "jump", "seed")
    done = {tuple(row[key] for key in keys) for row in rows}
    videos, data = shown(options)
    spoiled = [name if ":" in name else f"{name}:high" for name in options.corruptions]
    for corruption in spoiled or [CLEAN]:
        for name in options.teachers:
            for course in courses(options, name):
                for video in videos:
                    key = (name, video.name, corruption, course.length, course.jump, course.seed)
                    if key in done:
                        continue
                    rows.append(
                        measure(name, video, corruption, course, seen=data.seen, save=options.save)
                    )
                    print(rows[-1], flush=True)
                    if options.json:
                        write_files({options.json: json.dumps(rows, indent=1)})
    print(table(rows))


if __name__ == "__main__":
    main()
