"""Updates of low rank of the encoder, learned of a domain: kept, read again, gone on with."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ditta_adapt import CheckpointError, ConfigError, DomainConfig, FeatureDistance, LowRank, wrap
from ditta_adapt.domain import adapt_to_domain, training
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.models.with_detail import WithDetail
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

CONFIG = DomainConfig(rounds=2, judged_frames=3, encoder=LowRank(rank=2), learning_rate=1e-2)
VIDEOS = [toy_video(8, (32, 40), seed) for seed in range(3)]
FRAME = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.24, 0.26]])


@pytest.mark.usefixtures("approved")
def test_they_are_learned_and_saved_small(tmp_path: Path) -> None:
    segmenter = toy_segmenter()
    before = weight_hash(segmenter)
    result = adapt_to_domain(segmenter, VIDEOS, config=CONFIG)
    assert weight_hash(segmenter) == before
    own, adapted = segmenter.model.encoder, result.segmenter.model.encoder  # type: ignore[attr-defined]
    # What is added to the weight has two singular values, and all else of the encoder is as it was.
    added = (adapted[0].weight - own[0].weight).detach().flatten(1).double()
    _, second, *others = torch.linalg.svdvals(added)
    assert second > 1e-4
    assert max(others) < 1e-6
    assert torch.equal(adapted[0].bias, own[0].bias)
    assert torch.equal(adapted[1].weight, own[1].weight)
    result.save_pretrained(tmp_path)
    names = {name for name in load_file(tmp_path / "model.safetensors") if "low rank" in name}
    assert names == {"segmenter.(low rank).0.down", "segmenter.(low rank).0.up"}
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)
    # To a video, only the decoder is adapted from there, and what that gives is read again, too.
    loaded.adapt(VIDEOS[0][:4])
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)


def test_what_was_refused_is_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[-0.24, -0.26]])
    segmenter = toy_segmenter()
    result = adapt_to_domain(segmenter, VIDEOS, config=CONFIG)
    assert not result.report.kept
    # What is handed out is nobody's but the caller's.
    theirs = {each.data_ptr() for each in segmenter.model.parameters()}
    assert theirs.isdisjoint(each.data_ptr() for each in result.learned.values())
    assert weight_hash(result.segmenter) == weight_hash(segmenter)
    result.save_pretrained(tmp_path)
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert torch.equal(frame_logits(loaded.segmenter, FRAME), frame_logits(segmenter, FRAME))


class Stopped(Exception):
    """The program ends here."""


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize("detail", [False, True])
def test_it_goes_on_to_the_same_weights(
    detail: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    config = DomainConfig(
        rounds=2, judged_frames=3, encoder=LowRank(rank=2), learning_rate=1e-2, detail=detail
    )
    whole = adapt_to_domain(toy_segmenter(), VIDEOS, config=config)
    assert isinstance(whole.segmenter, WithDetail if detail else ToySegmenter)

    def stop(progress: Any) -> None:
        if progress.done == 3:
            raise Stopped

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Stopped):
        adapt_to_domain(
            toy_segmenter(), VIDEOS, config=config, checkpoint=checkpoint, progress=stop
        )
    resumed = adapt_to_domain(toy_segmenter(), VIDEOS, config=config, checkpoint=checkpoint)
    assert weight_hash(resumed.segmenter) == weight_hash(whole.segmenter)


class Half(ToySegmenter):
    """Takes images in the precision of its weights."""

    def preprocess(self, frames: torch.Tensor) -> torch.Tensor:
        return super().preprocess(frames).to(self.model.encoder[0].bias.dtype)


@pytest.mark.usefixtures("approved")
def test_of_a_model_in_half_precision(tmp_path: Path) -> None:
    segmenter = Half(ToyNet().bfloat16().eval())
    result = adapt_to_domain(segmenter, VIDEOS, config=CONFIG)
    own, adapted = segmenter.model.encoder[0], result.segmenter.model.encoder[0]  # type: ignore[attr-defined]
    assert adapted.weight.dtype == torch.bfloat16
    assert not torch.equal(adapted.weight, own.weight)
    result.save_pretrained(tmp_path)
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize("encoder", ["frozen", "norms"])
def test_other_parts_of_a_model_in_half_precision_are_read_again(
    encoder: Any, tmp_path: Path
) -> None:
    segmenter = Half(ToyNet().bfloat16().eval())
    config = DomainConfig(rounds=1, judged_frames=3, encoder=encoder, learning_rate=1e-2)
    result = adapt_to_domain(segmenter, VIDEOS, config=config)
    result.save_pretrained(tmp_path)
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)


@pytest.mark.usefixtures("approved")
def test_features_stay_near_those_of_a_reference() -> None:
    far = adapt_to_domain(toy_segmenter(), VIDEOS, config=CONFIG)
    config = DomainConfig(
        rounds=2,
        judged_frames=3,
        encoder=LowRank(rank=2),
        learning_rate=1e-2,
        distance=FeatureDistance(weight=100.0),
    )
    near = adapt_to_domain(toy_segmenter(), VIDEOS, config=config)
    own = toy_segmenter().model.encoder[0].weight.detach()
    moved = [
        float((each.segmenter.model.encoder[0].weight - own).norm())  # type: ignore[attr-defined]
        for each in (near, far)
    ]
    assert moved[0] < moved[1]
    with pytest.raises(ConfigError, match=r"LowRank\(\)"):
        DomainConfig(distance=FeatureDistance())


@pytest.mark.usefixtures("approved")
def test_folders_say_what_was_learned(tmp_path: Path) -> None:
    segmenter = toy_segmenter()
    adapt_to_domain(segmenter, VIDEOS, config=CONFIG).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    description = json.loads(path.read_text("utf-8"))
    assert description["encoder"] == {"kind": "LowRank", "rank": 2}
    for changed, match in (
        ({"encoder": {"kind": "LowRank", "rank": 0}}, "of no known kind"),
        ({"encoder": {"kind": "LowRank", "rank": 3}}, "the model has"),
        ({"encoder": "frozen"}, "low rank"),
    ):
        path.write_text(json.dumps(description | changed), "utf-8")
        with pytest.raises(CheckpointError, match=match):
            wrap(segmenter).load_pretrained(tmp_path)


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize("encoder", ["frozen", "norms"])
def test_folders_of_before_are_read(encoder: Any, tmp_path: Path) -> None:
    config = DomainConfig(rounds=1, judged_frames=3, encoder=encoder, learning_rate=1e-2)
    segmenter = toy_segmenter()
    result = adapt_to_domain(segmenter, VIDEOS, config=config)
    result.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    description = json.loads(path.read_text("utf-8"))
    assert description.pop("encoder") == encoder
    path.write_text(json.dumps(description | {"norms": encoder == "norms"}), "utf-8")
    loaded = wrap(segmenter).load_pretrained(tmp_path)
    assert weight_hash(loaded.segmenter) == weight_hash(result.segmenter)
