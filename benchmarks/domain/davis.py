"""Six DAVIS videos teach, two are measured, in rotation."""

import time

import numpy as np

from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import image_model, make_segmenter, score
from benchmarks.domain.variants import HELD_OUT
from ditta_adapt.config import DomainConfig
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import adapt_to_domain


def davis(corruption: str) -> None:
    """Six videos teach, two are measured, in rotation."""
    data, segmenter = davis_voc(data_root(), stride=2), make_segmenter()
    names, gains = data.names[:8], []
    videos = {name: data[data.names.index(name)] for name in names}
    if corruption:
        spoil = parse_corruption(corruption)
        videos = {
            name: LabelledVideo(
                name, list(spoil.apply(list(video.frames))), video.labels, video.relabel
            )
            for name, video in videos.items()
        }
    for first in range(0, len(names), 2):
        measured = names[first : first + 2]
        learned = [videos[name].frames for name in names if name not in measured]
        config = DomainConfig(held_out=HELD_OUT)
        started = time.perf_counter()
        result = adapt_to_domain(segmenter, learned, config=config)
        print(result.report, flush=True)
        rounds = [round(float(np.mean(each.gains)), 4) for each in result.report.rounds]
        print(f"  gains by round {rounds}, {time.perf_counter() - started:.0f} s")
        for name in measured:
            models = image_model(segmenter), image_model(result.segmenter)
            before, after = (score(videos[name], 0, "iss", 0, model).iou for model in models)
            gains.append(after - before)
            print(f"  {name}: {before:.4f} to {after:.4f}", flush=True)
    print(f"mean {np.mean(gains):+.4f}, worst {min(gains):+.4f}")
