"""Hand labels over to supervision, to draw, count or track what is in them.

    pip install supervision
    python examples/to_supervision.py --out labelled.png

A label map knows classes and no instances, so there is one detection for every class in the frame.
"""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor

from ditta_adapt import wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video

if TYPE_CHECKING:
    from supervision import Detections


def to_supervision(labels: Tensor, *, without: Collection[int] = ()) -> "Detections":
    """One detection a class: its mask, the box around it, and its number.

    Args:
        labels: `(H, W)` integers, as a video model returns them.
        without: classes to leave out, such as the background.
    """
    import supervision

    found = labels.cpu().numpy()
    classes = np.array([number for number in np.unique(found) if number not in without], int)
    masks = found == classes[:, None, None]
    boxes = supervision.mask_to_xyxy(masks)
    return supervision.Detections(xyxy=boxes, mask=masks, class_id=classes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Label a video, and draw the last frame's classes over it."""
    import supervision

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("labelled.png"), help="picture to write")
    options = parser.parse_args(arguments)
    frames, _ = render_video(seed=3, num_frames=12)
    for frame, labels in zip(frames, wrap(load_demo_model()).segment(frames), strict=True):
        last, detections = frame, to_supervision(labels, without={CLASS_NAMES.index("sky")})
    names = [CLASS_NAMES[number] for number in detections.class_id]
    # An image of Pillow says that it is RGB; an array would be taken for OpenCV's BGR.
    picture = supervision.MaskAnnotator().annotate(Image.fromarray(last), detections)
    picture = supervision.LabelAnnotator().annotate(picture, detections, labels=names)
    picture.save(options.out)
    print(f"{options.out}: {', '.join(names)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
