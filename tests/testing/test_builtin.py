"""The adapters that come with the library keep their own rules, with other people's models."""

import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_adapt import HookedSegmenter
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.testing import CheckReport, check_propagator, check_segmenter
from tests.toys import StillPropagator, ToyNet, ToySegmenter


def statuses(report: CheckReport) -> dict[str, str]:
    """What did not simply pass; whether there is a second device is the machine's business."""
    return {
        result.name: result.status
        for result in report.results
        if result.status != "passed" and result.name != "device_moves"
    }


def small_segformer(num_labels: int = 5) -> SegformerForSemanticSegmentation:
    config = SegformerConfig(
        num_labels=num_labels,
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 4],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
    )
    return SegformerForSemanticSegmentation(config).eval()


def test_segformer() -> None:
    torch.manual_seed(0)
    model = small_segformer()
    report = check_segmenter(
        lambda: SegformerSegmenter(model), reference=lambda images: model(images).logits
    )
    assert statuses(report) == {}


def test_segformer_built_anew_for_every_check() -> None:
    # In train mode, and with another initialisation every time but for the seed.
    report = check_segmenter(lambda: SegformerSegmenter(small_segformer().train()))
    assert statuses(report) == {"reference": "skipped"}


@pytest.mark.parametrize(
    "options",
    [
        {"decoder": "decoder", "features": "decoder.2"},
        {"decoder": "decoder", "features": "input:decoder.4"},
        {"adapt": "decoder.*", "features": "decoder.2"},
        {"adapt": "decoder.4.weight", "features": "decoder.2"},
    ],
)
def test_hooked(options: dict[str, str]) -> None:
    report = check_segmenter(
        lambda: HookedSegmenter(ToyNet(), **options), reference=ToyNet().eval()
    )
    assert statuses(report) == {}


def test_hooked_with_resizing() -> None:
    report = check_segmenter(
        lambda: HookedSegmenter(
            ToyNet(), decoder="decoder", features="decoder.2", size=(64, 64), mean=(0,) * 3
        )
    )
    assert statuses(report) == {"reference": "skipped"}


def test_toy_segmenter() -> None:
    report = check_segmenter(
        lambda: ToySegmenter(ToyNet().train()),
        reference=ToyNet().eval(),
        expected_failures={"dtype_moves": "its preprocess always gives float32"},
    )
    assert statuses(report) == {"dtype_moves": "expected_failure"}


@pytest.mark.parametrize("max_side", [512, 64])
def test_optical_flow(max_side: int) -> None:
    assert statuses(check_propagator(lambda: OpticalFlowPropagator(max_side=max_side))) == {}


def test_still_teacher() -> None:
    report = check_propagator(
        StillPropagator,
        expected_failures={
            "forward": "its masks stay where they are",
            "backward": "its masks stay where they are",
            "closing_frees": "it keeps a log of its sessions",
        },
    )
    assert statuses(report) == {
        "forward": "expected_failure",
        "backward": "expected_failure",
        "closing_frees": "expected_failure",
        "warp_contract": "skipped",
        "warp_still": "skipped",
    }


def test_own_frames() -> None:
    frames = [torch.randint(0, 256, (40, 56, 3), dtype=torch.uint8) for _ in range(3)]
    model = small_segformer()
    report = check_segmenter(lambda: SegformerSegmenter(model), frames=frames)
    assert statuses(report) == {"reference": "skipped"}


def test_grey_frames_say_nothing_of_channels() -> None:
    frames = [torch.randint(0, 256, (40, 56, 1)).expand(40, 56, 3).byte() for _ in range(2)]
    report = check_segmenter(
        lambda: HookedSegmenter(ToyNet(), decoder="decoder", features="decoder.2"), frames=frames
    )
    assert statuses(report) == {"reference": "skipped", "channel_order": "skipped"}


def test_nothing_of_the_callers_is_touched() -> None:
    model = ToyNet().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with torch.no_grad():
        check_segmenter(lambda: HookedSegmenter(model, decoder="decoder", features="decoder.2"))
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
