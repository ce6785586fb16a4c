"""Detail, warm-up of the rate, and all switches together: learned, kept, read, gone on with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import (
    ClassMix,
    Discriminator,
    DomainConfig,
    FeatureDistance,
    PatchMask,
    wrap,
)
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import DomainResult, adapt_to_domain, training
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.domain.steps import StudentSteps
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.with_detail import WithDetail
from tests.toys import toy_segmenter, toy_video

SIZE = (32, 40)
VIDEOS = [toy_video(8, SIZE, seed) for seed in range(3)]
FRAME = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)
EVERYTHING = DomainConfig(
    rounds=2,
    judged_frames=2,
    mix=ClassMix(consistent=True),
    mask=PatchMask(),
    detail=True,
    discriminator=Discriminator(),
    distance=FeatureDistance(),
    warmup_steps=5,
    encoder="norms",
    learning_rate=1e-2,
)


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.24, 0.26]])


def adapt(config: DomainConfig, **options: Any) -> DomainResult:
    labels = [np.ones(SIZE, np.uint8)] * 8
    source = [LabelledVideo(str(n), toy_video(8, SIZE, 9 + n), labels) for n in range(2)]
    return adapt_to_domain(toy_segmenter(), VIDEOS, source=source, config=config, **options)


@pytest.mark.parametrize("source", [False, True])
def test_two_resolutions_are_judged_where_the_image_model_is(source: bool) -> None:
    config = DomainConfig(rounds=2, judged_frames=2, detail=True)
    labels = [np.ones(SIZE, np.uint8)] * 8
    known = [LabelledVideo(str(n), toy_video(8, SIZE, 9 + n), labels) for n in range(2)]
    result = adapt_to_domain(
        toy_segmenter(), VIDEOS, source=known if source else None, config=config
    )
    assert len(result.report.rounds) == 2
    assert all(np.isfinite(gain) for each in result.report.rounds for gain in each.gains)


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize("encoder", ["frozen", "norms"])
def test_detail_is_learned_kept_and_read_again(encoder: Any, tmp_path: Path) -> None:
    config = DomainConfig(
        rounds=1, judged_frames=2, detail=True, encoder=encoder, learning_rate=1e-2
    )
    result = adapt(config)
    assert isinstance(result.segmenter, WithDetail)
    assert result.segmenter.attention.share.weight.any()
    result.save_pretrained(tmp_path)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert torch.equal(frame_logits(loaded.segmenter, FRAME), frame_logits(result.segmenter, FRAME))
    # And from there to a video.
    loaded.adapt(VIDEOS[0][:4])
    assert loaded(VIDEOS[0][4]).shape == SIZE


def test_the_rate_rises_in_a_straight_line(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    warm = StudentSteps._warm

    def spied(self: StudentSteps) -> None:
        warm(self)
        rates.append(self._optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(StudentSteps, "_warm", spied)
    adapt(DomainConfig(rounds=1, judged_frames=2, learning_rate=0.01, warmup_steps=5))
    assert rates == pytest.approx([0.002, 0.004, 0.006, 0.008, *[0.01] * 4])


class Stopped(Exception):
    """The program ends here."""


@pytest.mark.usefixtures("approved")
def test_all_of_it_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    whole = adapt(EVERYTHING)

    def stop(progress: Any) -> None:
        if progress.done == 3:
            raise Stopped

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Stopped):
        adapt(EVERYTHING, checkpoint=checkpoint, progress=stop)
    resumed = adapt(EVERYTHING, checkpoint=checkpoint)
    assert resumed.report.rounds == whole.report.rounds
    assert torch.equal(frame_logits(resumed.segmenter, FRAME), frame_logits(whole.segmenter, FRAME))


@pytest.mark.usefixtures("approved")
def test_a_reference_network_of_ones_own() -> None:
    config = DomainConfig(
        rounds=1,
        judged_frames=2,
        encoder="norms",
        learning_rate=1e-2,
        distance=FeatureDistance(weight=50.0),
    )
    own = adapt(config).report.rounds[0].loss
    # Far from the beginning, where the model's own reference is not.
    assert adapt(config, reference=toy_segmenter(5)).report.rounds[0].loss > own + 1
