"""A network of one's own as a video model: as it is, and by a `Segmenter` written by hand.

    python examples/in_house_model.py

`wrap` finds by itself what to freeze and what to adapt. A `Segmenter` says it, where you want to
decide that; the conformance suite tells whether it says the truth, rule by rule.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ditta_adapt import SegmenterOutput, VideoSegmenter, describe, wrap
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.testing import check_segmenter


class Net(nn.Module):
    """Stands for your network; random weights will do to see how it is wrapped."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 16, 3, stride=4, padding=1), nn.ReLU())
        self.neck = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.classifier = nn.Conv2d(16, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """From images `(B, 3, H, W)` in [-1, 1] to logits on a quarter of their grid."""
        logits: Tensor = self.classifier(self.neck(self.backbone(images)))
        return logits


def prepare(images: Tensor) -> Tensor:
    """What the network was trained on: from uint8 to [-1, 1]."""
    return images.float() / 127.5 - 1


class NetSegmenter:
    """The same network in two parts. Nothing is inherited: these names are the protocol."""

    num_classes, feature_dim = 5, 16

    def __init__(self, model: Net) -> None:
        # An attribute, so that a copy of the segmenter copies the model, too.
        self.model = model

    def preprocess(self, frames: Tensor) -> Tensor:
        """From uint8 `(B, 3, H, W)` RGB to what the network takes, in its own precision."""
        return prepare(frames).to(self.model.classifier.weight.dtype)

    def encode(self, images: Tensor) -> Tensor:
        """The frozen part, run once a frame."""
        encoded: Tensor = self.model.backbone(images)
        return encoded

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        """The part that adapts; features are what the classifier sees."""
        features = self.model.neck(encoded)
        return SegmenterOutput(features=features, logits=self.model.classifier(features))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The weights of `decode`, and no others."""
        return {"neck": self.model.neck, "classifier": self.model.classifier}


def main() -> int:
    """Both ways, side by side."""
    model = Net().eval()
    print(describe(model, processor=prepare))
    print(check_segmenter(lambda: NetSegmenter(model), reference=model))
    frames, _ = render_video(seed=3, num_frames=12, size=(96, 160))
    as_it_is: VideoSegmenter = wrap(model, processor=prepare)
    by_hand: VideoSegmenter = wrap(NetSegmenter(model))
    # The same network, so before anything is adapted the same labels.
    assert torch.equal(as_it_is(frames[0]), by_hand(frames[0]))
    for video_model in (as_it_is, by_hand):
        print(video_model.adapt(frames[:8]))
        for frame in frames[8:]:
            video_model(frame)
        print(video_model)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
