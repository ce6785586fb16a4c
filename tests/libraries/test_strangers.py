"""Three models as strangers bring them, on a real clip where one is at hand."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.coverage import transformers_networks
from benchmarks.coverage.measure import wake
from ditta_adapt import AdaptConfig, SelfLabels, Training, wrap
from ditta_adapt.io import frame_to_tensor
from ditta_adapt.testing.shapes_video import shapes_video

CLIP = Path(__file__).parents[3] / "shared" / "data" / "davis" / "JPEGImages" / "480p" / "blackswan"


def frames(count: int = 6) -> list[Any]:
    """Of a real clip; of generated shapes where it is not at hand."""
    files = sorted(CLIP.glob("*.jpg"))[:count]
    if not files:
        return list(shapes_video(count, size=(120, 214)).frames)
    return [frame_to_tensor(path)[:, ::4, ::4].permute(1, 2, 0).numpy() for path in files]


def unet() -> tuple[nn.Module, Any]:
    import segmentation_models_pytorch as smp

    return smp.Unet("resnet18", encoder_weights=None, classes=1).eval(), None


def deeplab() -> tuple[nn.Module, Any]:
    from torchvision.models.segmentation import DeepLabV3_MobileNet_V3_Large_Weights as Weights
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    model = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
    return model.eval(), Weights.DEFAULT.transforms()


def oneformer() -> tuple[nn.Module, Any]:
    (network,) = (n for n in transformers_networks.networks() if n.name == "OneFormer")
    return network.build(), network.processor


@pytest.mark.usefixtures("unchecked")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("stranger", [unet, deeplab, oneformer])
def test_it_adapts_and_streams(stranger: Any) -> None:
    torch.manual_seed(0)
    model, processor = stranger()
    wake(model)
    before = copy.deepcopy(model.state_dict())
    clip = frames()
    plain = wrap(model, processor=processor)
    assert plain(clip[0]).shape == clip[0].shape[:2]
    assert plain.adapt(clip[:4]).reason
    config = AdaptConfig(targets=SelfLabels(), training=Training(passes=2), safety=None)
    video_model = wrap(model, processor=processor, config=config)
    assert video_model.adapt(clip[:4]).adapted
    for frame in clip[4:]:
        labels = video_model(frame)
        assert labels.shape == frame.shape[:2]
        assert int(labels.max()) < video_model.segmenter.num_classes
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
