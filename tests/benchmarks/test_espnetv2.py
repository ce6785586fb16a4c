"""ESPNetv2: shapes, the released names, and the published behaviour of the real weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import davis
from benchmarks.espnetv2 import CHANNELS, ESPNetv2, load_espnetv2, rename_released

CLASSIFIER = "bu_dec_l4.merge_layer.3"
RELEASED = {
    **{f"espnetv2_s_{width}_pascal_384x384.pth": 21 for width in CHANNELS},
    "espnetv2_s_2.0_city_1024x512.pth": 20,
}


@pytest.fixture(scope="module")
def model() -> ESPNetv2:
    torch.manual_seed(0)
    return ESPNetv2(21).eval()


def released(name: str) -> Path:
    """Return the path of released weights; skip, with the reason, where they are missing."""
    try:
        path = davis.data_root() / "weights" / name
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if not path.is_file():
        pytest.skip(f"no weights at {path}")
    return path


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 31), (17, 200), (1, 1)])
def test_shapes(model, size):
    images = torch.randn(2, 3, *size)
    with torch.inference_mode():
        maps = model.encode(images)
        features, logits = model.decode(maps)

    for channels, stride, found in zip((32, 128, 256, 512), (2, 4, 8, 16), maps, strict=True):
        assert found.shape == (2, channels, *(-(-n // stride) for n in size))
    half = tuple((n + 1) // 2 for n in size)
    assert features.shape == (2, 10, *half)
    assert logits.shape == (2, 21, *half)


def test_forward_is_decode_of_encode_and_logits_are_the_classifier_of_features(model):
    images = torch.randn(1, 3, 48, 64)
    with torch.inference_mode():
        features, logits = model.decode(model.encode(images))
        torch.testing.assert_close(model(images), logits)
        torch.testing.assert_close(model.decoder.classifier(features), logits)


def test_images_of_a_batch_do_not_meet(model):
    images = torch.randn(3, 3, 40, 56)
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_every_parameter_is_in_one_half_and_takes_part():
    torch.manual_seed(0)
    model = ESPNetv2(5).train()
    model(torch.randn(2, 3, 64, 64)).square().sum().backward()
    halves = [*model.encoder.parameters(), *model.decoder.parameters()]
    assert {id(p) for p in halves} == {id(p) for p in model.parameters()}
    unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert unused == []


@pytest.mark.parametrize(("num_classes", "width"), [(2, 1), (20, 10), (21, 10), (100, 16)])
def test_feature_width_follows_the_classes(num_classes, width):
    classifier = ESPNetv2(num_classes).decoder.classifier
    assert (classifier.in_channels, classifier.out_channels) == (width, num_classes)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 8, 8, 3)])
def test_encode_refuses_other_inputs(model, shape):
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\)"):
        model.encode(torch.zeros(shape))


def test_decode_refuses_other_maps(model):
    maps = model.encode(torch.zeros(1, 3, 32, 32))
    for wrong in (maps[::-1], maps[:3], [m[0] for m in maps]):
        with pytest.raises(ValueError, match="maps must be 4-d"):
            model.decode(wrong)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        ESPNetv2(1)


def test_a_width_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"one of \[0.5, 1.0, 1.5, 2.0\], got 3"):
        ESPNetv2(21, width=3)


@pytest.mark.parametrize(("name", "outputs"), RELEASED.items())
def test_released_weights_load_strictly(name, outputs):
    path = released(name)
    model = load_espnetv2(path, num_classes=outputs)
    assert not model.training
    assert model.num_classes == outputs

    # Every tensor of the file is used, but for the three that the network never applies.
    state = torch.load(path, map_location="cpu", weights_only=True)
    renamed = rename_released(state)
    assert len(state) - len(renamed) == 3
    assert renamed.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, renamed[key])
    assert torch.equal(model.decoder.classifier.weight, state[f"{CLASSIFIER}.weight"])


def test_released_weights_with_other_outputs_are_refused():
    path = released("espnetv2_s_2.0_city_1024x512.pth")
    with pytest.raises(ValueError, match="has 20 outputs, not 21"):
        load_espnetv2(path, num_classes=21)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
        load_espnetv2(tmp_path / "absent.pth")


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02oops", b"PK\x03\x04"])
def test_file_that_holds_no_tensors_is_refused(tmp_path, content):
    path = tmp_path / "wrong.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"wrong\.pth is not a file of tensors"):
        load_espnetv2(path)


def test_file_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "module.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match=r"module\.pth is not a file of tensors"):
        load_espnetv2(path)


@pytest.mark.parametrize(
    "state", [[torch.zeros(2)], {"weight": torch.zeros(2)}, {f"{CLASSIFIER}.bias": "x"}]
)
def test_state_of_another_network_is_refused(tmp_path, state):
    path = tmp_path / "other.pth"
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"other\.pth is not a state dict of an ESPNetv2"):
        load_espnetv2(path)


def test_incomplete_state_is_refused(tmp_path):
    path = tmp_path / "partial.pth"
    torch.save({f"{CLASSIFIER}.bias": torch.zeros(21)}, path)
    with pytest.raises(ValueError, match=r"partial\.pth does not fit(.|\n)*encoder\.stem"):
        load_espnetv2(path)
