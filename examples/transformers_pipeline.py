"""From the `pipeline("image-segmentation")` of transformers to a video model, and back.

    python examples/transformers_pipeline.py --model nvidia/segformer-b0-finetuned-ade-512-512

A pipeline is a model and an image processor: `wrap` takes both. What comes out can be put into the
form that pipelines return, so that the rest of a program stays as it is. Without --model the
demo's files are loaded.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ditta_adapt import VideoSegmenter, wrap
from ditta_adapt.demo.model import WEIGHTS_DIR
from ditta_adapt.demo.scenes import render_video


def video_model_of(pipe: Any) -> VideoSegmenter:
    """The video model of a pipeline, which itself stays as it is."""
    return wrap(pipe.model, processor=pipe.image_processor)


def as_pipeline_output(labels: Tensor, pipe: Any) -> list[dict[str, Any]]:
    """A label map as the pipeline returns it: a name and a mask for every class that is seen."""
    found = labels.cpu().numpy()
    return [
        {
            "score": None,
            "label": pipe.model.config.id2label[int(number)],
            "mask": Image.fromarray(np.uint8(255) * (found == number)),
        }
        for number in np.unique(found)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a pipeline, adapt its model to a video, and show what is in the last frame."""
    from transformers import pipeline

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=str(WEIGHTS_DIR), help="hub id or folder")
    options = parser.parse_args(arguments)
    # Weights may be stored in half precision, which is slow without a GPU.
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    pipe = pipeline("image-segmentation", model=options.model, dtype=dtype)
    frames, _ = render_video(seed=3, num_frames=12)
    video_model = video_model_of(pipe)
    print(video_model.adapt(frames[:8]))
    for frame in frames[8:]:
        result = as_pipeline_output(video_model(frame), pipe)
    for part in result:
        print(f"{part['label']:12} {np.mean(np.asarray(part['mask']) > 0):6.1%} of the last frame")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
