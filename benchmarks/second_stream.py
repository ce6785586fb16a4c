"""What does another video model of the same image model cost in memory?

Wraps one image model many times, as for many cameras, and prints what each one adds, as a share of
the model's own weights: before adaptation, when it shares all of them, and after, when it has a
decoder of its own. Counted are the bytes of weights and buffers that no other one holds, and the
growth of the process.

    python -m benchmarks.second_stream
"""

import argparse
import gc
import resource
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_adapt import AdaptConfig, SelfLabels, VideoSegmenter, wrap
from ditta_adapt.models.parameters import modules_of


def own_bytes(video_models: list[VideoSegmenter], model: nn.Module) -> int:
    """Bytes of weights and buffers that the video models hold beside those of the image model."""
    known = {tensor.untyped_storage().data_ptr() for tensor in tensors_of(model)}
    sizes: dict[int, int] = {}
    for video_model in video_models:
        stream: Any = video_model._stream
        for student in (stream.student, stream._frozen):
            for module in modules_of(student.segmenter):
                for tensor in tensors_of(module):
                    storage = tensor.untyped_storage()
                    sizes[storage.data_ptr()] = storage.nbytes()
    return sum(size for place, size in sizes.items() if place not in known)


def tensors_of(module: nn.Module) -> list[torch.Tensor]:
    """Parameters and buffers."""
    return [*module.parameters(), *module.buffers()]


def resident_bytes() -> int:
    """Memory of this process."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(0)
    # SegFormer-B2's sizes; how it was trained has no say in memory.
    config = SegformerConfig(
        num_labels=19,
        depths=[3, 4, 6, 3],
        hidden_sizes=[64, 128, 320, 512],
        decoder_hidden_size=768,
    )
    model = SegformerForSemanticSegmentation(config).eval()
    whole = sum(tensor.nbytes for tensor in tensors_of(model))
    decoder = sum(tensor.nbytes for tensor in tensors_of(model.decode_head))
    print(f"image model {whole / 2**20:.1f} MiB, its decoder {decoder / whole:.1%} of it")
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (2, 64, 96, 3), dtype=np.uint8))
    learns = AdaptConfig(targets=SelfLabels(), memory=None, safety=None, look=None)
    wrap(model, config=learns).adapt(frames)  # What the first run of anything takes.
    before = resident_bytes()
    streams = [wrap(model, config=learns) for _ in range(options.streams)]
    grown = (resident_bytes() - before) / len(streams)
    own = own_bytes(streams, model) / len(streams)
    print(f"a video model more: weights {own / whole:.2%}, process {grown / whole:.2%} of it")
    before = resident_bytes()
    for stream in streams:
        stream.adapt(frames)
    grown = (resident_bytes() - before) / len(streams)
    own = own_bytes(streams, model) / len(streams)
    print(f"adapted: weights {own / whole:.2%}, process {grown / whole:.2%} of it")


if __name__ == "__main__":
    main()
