"""Weights by name, in a file, and as their authors have them."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from ditta_adapt import InputError
from ditta_adapt.teachers.stcn import RELEASED, SpaceTimeNetwork, StcnPropagator
from ditta_adapt.teachers.stcn.weights import SHIPPED, from_released, load_network


def convolution(state: dict[str, Tensor], name: str, out: int, inner: int, side: int) -> None:
    state[f"{name}.weight"] = torch.randn(out, inner, side, side) / (inner * side**2) ** 0.5
    state[f"{name}.bias"] = torch.randn(out)


def normalisation(state: dict[str, Tensor], name: str, width: int) -> None:
    state[f"{name}.weight"] = torch.rand(width) + 0.5
    state[f"{name}.bias"] = torch.randn(width)
    state[f"{name}.running_mean"] = torch.randn(width)
    state[f"{name}.running_var"] = torch.rand(width) + 0.5
    state[f"{name}.num_batches_tracked"] = torch.tensor(1)


def residual(state: dict[str, Tensor], name: str, inner: int, out: int) -> None:
    convolution(state, f"{name}.conv1", out, inner, 3)
    convolution(state, f"{name}.conv2", out, out, 3)
    if inner != out:
        convolution(state, f"{name}.downsample", out, inner, 3)


def released() -> dict[str, Tensor]:
    """Random weights by the names and of the shapes that the authors' program has."""
    torch.manual_seed(0)
    state: dict[str, Tensor] = {}
    convolution(state, "key_encoder.conv1", 64, 3, 7)
    normalisation(state, "key_encoder.bn1", 64)
    inputs = 64
    for layer, width, depth in (("res2", 64, 3), ("layer2", 128, 4), ("layer3", 256, 6)):
        for index in range(depth):
            place = f"key_encoder.{layer}.{index}"
            convolution(state, f"{place}.conv1", width, inputs, 1)
            convolution(state, f"{place}.conv2", width, width, 3)
            convolution(state, f"{place}.conv3", 4 * width, width, 1)
            for number, channels in ((1, width), (2, width), (3, 4 * width)):
                normalisation(state, f"{place}.bn{number}", channels)
            if index == 0:
                convolution(state, f"{place}.downsample.0", 4 * width, inputs, 1)
                normalisation(state, f"{place}.downsample.1", 4 * width)
            inputs = 4 * width
    # The key encoder's convolutions are torchvision's, which have no bias.
    for name in list(state):
        if "conv" in name or "downsample.0" in name:
            state.pop(f"{name.rpartition('.')[0]}.bias", None)
    convolution(state, "value_encoder.conv1", 64, 5, 7)
    normalisation(state, "value_encoder.bn1", 64)
    inputs = 64
    for number, width in enumerate((64, 128, 256), start=1):
        for index in range(2):
            place = f"value_encoder.layer{number}.{index}"
            convolution(state, f"{place}.conv1", width, inputs, 3)
            convolution(state, f"{place}.conv2", width, width, 3)
            normalisation(state, f"{place}.bn1", width)
            normalisation(state, f"{place}.bn2", width)
            if width != inputs:
                convolution(state, f"{place}.downsample.0", width, inputs, 1)
                normalisation(state, f"{place}.downsample.1", width)
            inputs = width
    residual(state, "value_encoder.fuser.block1", 1024 + 256, 512)
    residual(state, "value_encoder.fuser.block2", 512, 512)
    gate = "value_encoder.fuser.attention"
    for layer, out, inner in (("1", 32, 512), ("3", 512, 32)):
        state[f"{gate}.ChannelGate.mlp.{layer}.weight"] = torch.randn(out, inner) / inner**0.5
        state[f"{gate}.ChannelGate.mlp.{layer}.bias"] = torch.randn(out)
    convolution(state, f"{gate}.SpatialGate.spatial.conv", 1, 2, 7)
    convolution(state, "key_proj.key_proj", 64, 1024, 3)
    convolution(state, "key_comp", 512, 1024, 3)
    residual(state, "decoder.compress", 1024, 512)
    convolution(state, "decoder.up_16_8.skip_conv", 512, 512, 3)
    residual(state, "decoder.up_16_8.out_conv", 512, 256)
    convolution(state, "decoder.up_8_4.skip_conv", 256, 256, 3)
    residual(state, "decoder.up_8_4.out_conv", 256, 256)
    convolution(state, "decoder.pred", 1, 256, 3)
    return state


def test_weights_of_the_authors(tmp_path: Path) -> None:
    state = released()
    torch.save(state, tmp_path / "stcn.pth")
    network = StcnPropagator.from_pretrained(tmp_path / "stcn.pth").network
    assert network.shape == RELEASED
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(54.4e6, rel=0.01)
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        # Their first layer of values by functions of torch, bias and all.
        shown = torch.cat([images, torch.rand(1, 2, 32, 32)], dim=1)
        name = "value_encoder"
        expected = F.conv2d(shown, state[f"{name}.conv1.weight"], state[f"{name}.conv1.bias"], 2, 3)
        expected = F.batch_norm(
            expected,
            state[f"{name}.bn1.running_mean"],
            state[f"{name}.bn1.running_var"],
            state[f"{name}.bn1.weight"],
            state[f"{name}.bn1.bias"],
        )
        found = network.values.bn1(network.values.conv1(shown))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        # And a shortcut, which is normalised, too.
        place = f"{name}.layer2.0.downsample"
        x = torch.randn(1, 64, 4, 4)
        expected = F.batch_norm(
            F.conv2d(x, state[f"{place}.0.weight"], state[f"{place}.0.bias"], 2),
            state[f"{place}.1.running_mean"],
            state[f"{place}.1.running_var"],
            state[f"{place}.1.weight"],
            state[f"{place}.1.bias"],
        )
        shortcut = network.values.layer2[0].downsample
        torch.testing.assert_close(shortcut(x), expected, atol=1e-5, rtol=1e-5)


def test_weights_of_a_single_object_know_no_others() -> None:
    state = released()
    state["value_encoder.conv1.weight"] = state["value_encoder.conv1.weight"][:, :4]
    network = SpaceTimeNetwork(RELEASED).eval()
    network.load_state_dict(from_released(state))
    assert not network.values.conv1.weight[:, 4].any()


def test_the_small_weights(tmp_path: Path) -> None:
    network = load_network(SHIPPED)
    assert all(tensor.dtype is torch.float32 for tensor in network.parameters())
    save_file(network.state_dict(), tmp_path / "again.safetensors")
    again = load_network(tmp_path / "again.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*stcn-small"):
        StcnPropagator("nowhere.pth")
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read as weights"):
        StcnPropagator(tmp_path / "broken.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="holds a list"):
        StcnPropagator(tmp_path / "list.pth")
    torch.save({1: torch.zeros(1)}, tmp_path / "numbers.pth")
    with pytest.raises(InputError, match="no weights"):
        StcnPropagator(tmp_path / "numbers.pth")
    wrong = {"key_encoder.conv1.weight": torch.zeros(1), "value_encoder.conv1.bias": torch.zeros(3)}
    wrong["value_encoder.bn1.running_mean"] = torch.zeros(64)
    torch.save(wrong, tmp_path / "wrong.pth")
    with pytest.raises(InputError, match="does not fit"):
        StcnPropagator(tmp_path / "wrong.pth")
    torch.save({"other.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="does not fit"):
        StcnPropagator(tmp_path / "other.pth")
