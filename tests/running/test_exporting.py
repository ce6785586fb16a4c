"""The streaming step as a graph of torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    HookedSegmenter,
    SegmenterError,
    SegmenterOutput,
    VideoSegmenter,
    wrap,
)
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.ops.soft_votes import soft_votes
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

FRAMES = list(render_video(3, 6, size=(64, 96))[0])


class Sliding(nn.Module):
    """A network that looks at the two halves of an image one after the other."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = ToyNet()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        left, right = images.chunk(2, dim=3)
        return {"out": torch.cat([self.net(left), self.net(right)], dim=3)}


def adapted(model: Any, frames: list[np.ndarray] = FRAMES) -> VideoSegmenter:
    video_model = wrap(model, config=AdaptConfig(seed=1))
    video_model.adapt(frames[:4])
    return video_model


@pytest.mark.parametrize(
    "model",
    [
        toy_segmenter,
        lambda: ToyNet().eval(),
        lambda: HookedSegmenter(ToyNet().eval(), decoder="decoder"),
        lambda: Sliding().eval(),
        load_demo_model,
    ],
    ids=["adapter", "found", "hooked", "sliding", "segformer"],
)
def test_it_computes_what_the_library_computes(model: Any, tmp_path: Path) -> None:
    """After a round trip by a file: votes from scratch, then added to those of a past."""
    video_model = adapted(model())
    torch.export.save(video_model.export(FRAMES[4]), tmp_path / "step.pt2")
    graph = torch.export.load(tmp_path / "step.pt2").module()
    student = video_model._stream.student_of(video_model.speaker)
    for frame, strength in ((FRAMES[4], 0.0), (FRAMES[5], 0.7)):
        shown = torch.from_numpy(frame).permute(2, 0, 1)
        with torch.no_grad():
            images = student.segmenter.preprocess(shown[None])
            logits = student.decode(student.segmenter.encode(images)).logits
            past = strength * torch.rand(logits.shape[1:])
            votes = soft_votes(logits) + past
            scores = torch.nn.functional.interpolate(
                votes[None], shown.shape[1:], mode="bilinear", align_corners=False
            )[0]
        labels, found = graph(shown, past)
        torch.testing.assert_close(found, votes, rtol=1e-4, atol=1e-5)
        assert (labels == scores.argmax(dim=0)).float().mean() > 0.999


def test_the_weights_are_those_that_speak() -> None:
    """Adapted ones and the image model's differ, so their votes do."""
    frames = toy_video(6, size=(64, 96))
    video_model = wrap(toy_segmenter(), config=AdaptConfig(safety=None, look=None))
    video_model.adapt(frames[:4])
    assert video_model.speaker == "adapted"
    shown = torch.from_numpy(frames[5]).permute(2, 0, 1)
    past = torch.zeros(4, 32, 48)
    ours = video_model.export(frames[5]).module()(shown, past)[1]
    plain = wrap(toy_segmenter()).export(frames[5]).module()(shown, past)[1]
    assert not torch.allclose(ours, plain)


class Asking(ToySegmenter):
    """Its decoder asks a tensor for its value."""

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        return output if float(encoded.mean()) > -99 else SegmenterOutput(encoded, encoded)


def test_a_model_that_is_no_graph() -> None:
    model = wrap(Asking(ToyNet().eval()))
    with pytest.raises(
        SegmenterError, match=r"step of Asking cannot be exported by torch\.export: "
    ):
        model.export(FRAMES[0])
    # The video model goes on.
    assert model(FRAMES[0]).shape == (64, 96)


def test_what_is_not_exported() -> None:
    config = AdaptConfig(memory=AttentionAddon(), safety=None, look=None)
    video_model = wrap(toy_segmenter(), config=config)
    assert video_model.adapt(toy_video(3)).adapted
    with pytest.raises(SegmenterError, match="an attention add-on looks at the frame before"):
        video_model.export(FRAMES[0])
