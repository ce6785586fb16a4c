"""Does a domain of unlabelled videos teach a model something for videos it has not seen?

* `scenes`: the demo's SegFormer, trained on clean generated scenes, adapted to eight shifted videos
  (blur, exposure, colours, noise) and measured on eight others; three seeds of videos. mIoU of all
  frames after the first eight. Rows: the image model; what the domain taught, without and with
  labelled clean scenes (the source), by each technique; and the first and some of these adapted to
  the first eight frames of each video.
* `davis`: ESPNetv2 (PASCAL VOC) adapted to six of the eight DAVIS videos and measured on the other
  two, in rotation: foreground IoU of all frames, every second one; clean, or corrupted throughout.

    python -m benchmarks.domain scenes --json scenes.json
    python -m benchmarks.domain davis
    python -m benchmarks.domain davis --corruption gaussian_noise:medium

Rows that the file has already are not measured again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.domain.davis import davis
from benchmarks.domain.scenes import scenes
from benchmarks.domain.variants import EVERY, OFFSETS, VARIANTS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.domain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=("scenes", "davis"))
    parser.add_argument("--json", type=Path, help="of scenes: file of rows, which is gone on with")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of scenes")
    parser.add_argument("--variants", nargs="+", choices=EVERY, default=[*VARIANTS], metavar="NAME")
    parser.add_argument("--offsets", action="store_true", help="refined by frames farther away")
    parser.add_argument("--votes-alone", action="store_true", help="of scenes: no look teaches")
    parser.add_argument("--corruption", default="", help="of davis, such as contrast:high")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    if options.part == "scenes":
        variants = [*OFFSETS] if options.offsets else options.variants
        scenes(options.json, options.seeds, variants, looks=not options.votes_alone)
    else:
        davis(options.corruption)


if __name__ == "__main__":
    main()
