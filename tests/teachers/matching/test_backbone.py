"""Features of transformers' backbones: which maps, of which images, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import Prompt, PropagationError
from ditta_adapt.io import no_loading_bars
from ditta_adapt.teachers.matching import MatchingPropagator
from ditta_adapt.teachers.matching.backbone import BackboneFeatures
from ditta_adapt.teachers.registry import find_propagator
from tests.teachers.matching.scenes import background, square

transformers = pytest.importorskip("transformers")


def plain() -> Any:
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    return transformers.AutoBackbone.from_config(config)


def hierarchical() -> Any:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1], layer_type="basic"
    )
    return transformers.AutoBackbone.from_config(config)


def saved(model: Any, folder: Path) -> str:
    with no_loading_bars():
        model.save_pretrained(folder)
    return str(folder)


def frame_of(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (3, height, width), generator=generator).byte()


def test_of_a_plain_one_the_last_layer(tmp_path: Path) -> None:
    model = plain().eval()
    frame = frame_of(60, 100)
    (found,) = BackboneFeatures(saved(model, tmp_path))(frame)
    # 60 x 100 is nearest to 4 x 7 patches of 14.
    image = F.interpolate(frame[None].float(), (56, 98), mode="bilinear", antialias=True) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = model((image - mean.view(3, 1, 1)) / std.view(3, 1, 1)).feature_maps[-1]
    assert found.shape == (1, 32, 4, 7)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_of_a_hierarchical_one_strides_4_to_16(tmp_path: Path) -> None:
    found = BackboneFeatures(saved(hierarchical(), tmp_path))(frame_of(70, 130))
    assert [tuple(each.shape) for each in found] == [(1, 8, 16, 32), (1, 16, 8, 16), (1, 32, 4, 8)]


def test_large_frames_are_seen_smaller(tmp_path: Path) -> None:
    (found,) = BackboneFeatures(saved(plain(), tmp_path))(frame_of(540, 960))
    assert found.shape[2:] == (round(288 / 14), round(512 / 14))


def test_found_by_its_name_it_follows(tmp_path: Path) -> None:
    frames = [background() for _ in range(3)]
    masks = [
        torch.from_numpy(square(frame, 12, 8 + t, (170, 100, 90))) for t, frame in enumerate(frames)
    ]
    propagator = find_propagator(f"matching:{saved(plain(), tmp_path)}")
    assert isinstance(propagator, MatchingPropagator)
    with propagator.open(frames) as session:
        session.prompt(0, [Prompt.on(masks[0], 1)])
        found = session.propagate(0, 1).masks[0]
    assert (found & masks[1]).sum() > 0.5 * (found | masks[1]).sum()


def test_the_normalisation_beside_the_weights(tmp_path: Path) -> None:
    checkpoint = saved(plain(), tmp_path)
    (usual,) = BackboneFeatures(checkpoint)(frame_of(56, 56))
    settings = '{"do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [1, 1, 1]}'
    (tmp_path / "preprocessor_config.json").write_text(settings)
    (other,) = BackboneFeatures(checkpoint)(frame_of(56, 56))
    assert not torch.allclose(usual, other)


def test_what_is_no_backbone(tmp_path: Path) -> None:
    other = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    saved(transformers.AutoModel.from_config(other), tmp_path / "text")
    for checkpoint in ("absent", "text"):
        propagator = MatchingPropagator.from_pretrained(str(tmp_path / checkpoint))
        prompt = Prompt.on(torch.ones(background().shape[:2]).bool(), 1)
        with (
            propagator.open([background()] * 2) as session,
            pytest.raises(PropagationError, match=f"{checkpoint}' could not be loaded as a backb"),
        ):
            session.prompt(0, [prompt])
